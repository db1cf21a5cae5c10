"""Layers in eight bits against the layers they came of, and rows that do not know of each other."""

import numpy as np
import pytest
import torch

from pipeline.learning import eight_bits
from pipeline.learning.eight_bits import EightBitLinear


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return torch.nn.Linear(64, 48)


def test_outputs_are_those_of_whole_numbers_times_both_scales(layer):
    rows = torch.randn(5, 3, 64)
    size = rows.abs().amax(-1, keepdim=True) / 127
    scale = layer.weight.abs().amax(1) / 127
    codes, weights = (rows / size).round().long(), (layer.weight / scale[:, None]).round().long()
    plain = torch.einsum("abk,nk->abn", codes, weights) * scale * size + layer.bias
    with torch.inference_mode():
        assert torch.allclose(EightBitLinear(layer)(rows), plain, atol=1e-5)
        error = (EightBitLinear(layer)(rows) - layer(rows)).abs().mean() / layer(rows).abs().mean()
    assert 0 < error < 0.02


def test_a_row_does_not_depend_on_its_neighbours(layer):
    quick, rows = EightBitLinear(layer), torch.randn(20, 64)
    together = quick(torch.cat([rows, 1000 * torch.ones(1, 64)]))[:-1]
    assert torch.allclose(together, torch.cat([quick(row[None]) for row in rows]), atol=1e-6)


def test_zeros_give_the_bias_and_a_layer_without_one_gives_zeros(layer):
    assert torch.equal(EightBitLinear(layer)(torch.zeros(2, 64))[0], layer.bias)
    assert not EightBitLinear(torch.nn.Linear(8, 8, bias=False))(torch.zeros(1, 8)).any()


def test_a_model_is_copied_and_the_copy_alone_is_rounded(layer):
    model = torch.nn.Sequential(layer, torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Linear(48, 8)))
    quick = eight_bits.rounded(model)
    assert [type(one) for one in quick.modules() if not list(one.children())] == [
        EightBitLinear,
        torch.nn.ReLU,
        EightBitLinear,
    ]
    assert isinstance(model[0], torch.nn.Linear)
    rows = torch.randn(50, 64)
    with torch.inference_mode():
        assert np.corrcoef(quick(rows).ravel(), model(rows).ravel())[0, 1] > 0.999
