"""A tuned classifier as an ONNX graph, token ids and mask in, scores of the classes out, for runtimes without torch.

For handing out alone: models are kept and read back as safetensors and JSON. Needs the extra `onnx`.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import ConfigError
from pipeline.models.encoder import pooled
from pipeline.models.text_classifier import TextClassifier

NEEDED = ("onnx", "onnxscript")
TEXTS, TOKENS = 4096, 512  # at once, at most


class _Graph(torch.nn.Module):
    def __init__(self, model: TextClassifier) -> None:
        super().__init__()
        self.body, self.head = model.body, model.head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = self.head(pooled(self.body, {"input_ids": input_ids, "attention_mask": attention_mask}))
        return told


def export(model: TextClassifier, path: Path) -> None:
    """Write the graph, for any number of texts of any length.

    Args:
        model: tuned by any method, not in 8 bits.
        path: ends in .onnx.

    Raises:
        ConfigError: the extra is not installed, or the model is in 8 bits.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f"{path}: {missing[0]} is not installed; run pip install -e '.[onnx]'")
    if model.form.int8:
        raise ConfigError(f"{path}: a model in 8 bits has no graph; export it before it is quantised")
    sizes = {0: torch.export.Dim("texts", max=TEXTS), 1: torch.export.Dim("tokens", max=TOKENS)}
    some = model.padded(model.ids(["a text", "another text that is longer"]))
    with warnings.catch_warnings(action="ignore"):  # the exporter's, about its own calls
        graph = torch.onnx.export(
            _Graph(model.eval()),
            (),
            kwargs=some,
            dynamo=True,
            dynamic_shapes=dict.fromkeys(some, sizes),
            output_names=["logits"],
            verbose=False,
        )
        graph.save(path, external_data=False)


def logits(model: TextClassifier, path: Path, texts: list[str]) -> np.ndarray:
    """What the graph tells of texts that the model's tokenizer takes apart: float32 [N, C].

    Raises:
        ConfigError: the extra is not installed.
    """
    if find_spec("onnxruntime") is None:
        raise ConfigError(f"{path}: onnxruntime is not installed; run pip install -e '.[onnx]'")
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    asked = {name: value.numpy() for name, value in model.padded(model.ids(texts)).items()}
    return np.asarray(session.run(["logits"], asked)[0])
