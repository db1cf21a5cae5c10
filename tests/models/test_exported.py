"""The ONNX graph tells what the model tells; without the extra, or of 8 bits, it says so."""

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.learning.forms import Form
from pipeline.models import exported
from pipeline.models.text_classifier import TextClassifier

TEXTS = ["good fresh tea", "stale", "a bad cup of tea and a bad day"]


@pytest.fixture
def model(tiny_bert):
    torch.manual_seed(0)
    model = TextClassifier(tiny_bert, 3, 12)
    torch.nn.init.normal_(model.head.weight)
    return model


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_graph_tells_what_the_model_tells(method, model, tmp_path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `onnx`")
    model.take(Form(method, 1, 2))
    exported.export(model, tmp_path / "model.onnx")
    told = exported.logits(model, tmp_path / "model.onnx", TEXTS)
    assert np.allclose(told, model.logits(TEXTS), atol=1e-4)
    assert np.allclose(exported.logits(model, tmp_path / "model.onnx", TEXTS[:1]), told[:1], atol=1e-4)


def test_without_the_extra_it_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"\.\[onnx\]"):
        exported.export(model, tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match=r"\.\[onnx\]"):
        exported.logits(model, tmp_path / "model.onnx", TEXTS)


def test_eight_bits_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "find_spec", lambda _name: object())
    model.quantise()
    with pytest.raises(ConfigError, match="8 bits"):
        exported.export(model, tmp_path / "model.onnx")
