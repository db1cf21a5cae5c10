"""How a tuned encoder differs from its checkpoint in shape: which layers, which adapters, in how many bits.

Stands in the metadata of the safetensors file beside what was tuned, so that one reader reads them all.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from pipeline.learning import adapters, compression
from pipeline.learning.adapters import Tuning
from pipeline.settings import Method, Training

KEY = "form"


@dataclass(frozen=True)
class Form:
    """A shape.

    Attributes:
        method: of tuning.
        layers: tuned ones, from the top; 0 when none is.
        rank: of adapters.
        kept: layers of the checkpoint that there are, all of them when None.
        int8: whether matrices are in 8 bits; then no adapters are left.
    """

    method: Method = "full"
    layers: int = 0
    rank: int = 8
    kept: tuple[int, ...] | None = None
    int8: bool = False

    @classmethod
    def of(cls, training: Training, layers: int) -> "Form":
        """The shape that a run tunes."""
        return cls(training.method, layers, training.rank)

    def metadata(self) -> dict[str, str]:
        """As a safetensors file carries it."""
        return {KEY: json.dumps(asdict(self), sort_keys=True)}

    def give(self, body: torch.nn.Module, seed: int = 0) -> Tuning:
        """Bring an encoder as pretrained to this shape."""
        if self.kept is not None:
            compression.keep_layers(body, self.kept)
        tuning = adapters.attach(body, self.method, self.layers, self.rank, seed)
        if self.int8:
            compression.quantise(body)
        return tuning


def read(path: Path) -> Form:
    """The shape that a safetensors file tells of; one without a word is of whole layers."""
    with safe_open(path, "pt") as file:
        told = json.loads((file.metadata() or {}).get(KEY, "{}"))
    return Form(**told | ({"kept": tuple(told["kept"])} if told.get("kept") else {}))
