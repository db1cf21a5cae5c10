"""Shapes of tuned encoders: one reader takes over each, and reads as the model that was kept."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import ConfigError
from pipeline.learning import forms
from pipeline.learning.forms import Form
from pipeline.models.text_classifier import WEIGHTS, TextClassifier

TEXTS = ["good fresh tea", "stale and bad tea", "tea"]
FORMS = [
    Form(layers=1),
    Form("lora", 1, 4),
    Form("adalora", 2, 2),
    Form("bottleneck", 1, 2),
    Form(layers=1, kept=(1,)),
    Form(layers=2, int8=True),
    Form(layers=1, kept=(0,), int8=True),
]


def moved(folder, form):
    """A model of a shape, every weight that would be tuned moved."""
    model = TextClassifier(folder, 2, 12)
    model.take(form, 1)
    with torch.no_grad():
        for number, (_, value) in enumerate(model.named_parameters()):
            if value.requires_grad:
                value += 0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(number))
    return model


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_one_reader_takes_over_every_shape(form, tiny_bert, tmp_path):
    model = moved(tiny_bert, form)
    model.save(tmp_path)
    again = TextClassifier(tiny_bert, 2, 12)
    plain = again.logits(TEXTS)
    again.read(tmp_path)
    assert again.form == forms.read(tmp_path / WEIGHTS) == form
    assert np.array_equal(again.logits(TEXTS), model.logits(TEXTS))
    assert not np.allclose(again.logits(TEXTS), plain)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tuned_model_is_quantised_with_its_adapters_in_it(method, tiny_bert, tmp_path):
    model = moved(tiny_bert, Form(method, 2, 4))
    exact = model.logits(TEXTS)
    model.quantise()
    assert np.allclose(model.logits(TEXTS), exact, atol=0.05 * np.abs(exact).max())
    model.save(tmp_path)
    again = TextClassifier(tiny_bert, 2, 12)
    again.read(tmp_path)
    assert np.array_equal(again.logits(TEXTS), model.logits(TEXTS))


def test_bottlenecks_are_not_quantised(tiny_bert):
    with pytest.raises(ConfigError, match="bottleneck"):
        moved(tiny_bert, Form("bottleneck", 1)).quantise()


def test_a_file_without_a_word_is_of_whole_layers(tmp_path):
    save_file({"one": torch.zeros(1)}, tmp_path / "plain.safetensors")
    assert forms.read(tmp_path / "plain.safetensors") == Form()
