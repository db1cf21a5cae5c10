"""Adapters: they begin as nothing, train few weights, and every way of tuning learns through the same harness."""

import numpy as np
import pytest
import torch
from transformers import AutoModel

from pipeline.errors import ConfigError
from pipeline.learning import adapters, harness
from pipeline.learning.adapters import RATES
from pipeline.record import JsonRecorder
from pipeline.settings import Training

TOKENS = {"input_ids": torch.arange(24).reshape(4, 6) + 1000, "attention_mask": torch.ones(4, 6, dtype=torch.long)}
FEW = [method for method in RATES if method != "full"]


class Told(torch.nn.Module):
    """Learns to tell the first token's state from what it was."""

    def __init__(self, folder, method):
        super().__init__()
        self.body = AutoModel.from_pretrained(folder, add_pooling_layer=False)
        self.tuning = adapters.attach(self.body, method, 1, 2, 0)
        self.wanted = torch.linspace(-1, 1, 32)

    def states(self):
        return self.body(**TOKENS).last_hidden_state

    def forward(self, x, return_loss=True):
        loss = ((self.states()[:, 0] - self.wanted) ** 2).mean()
        return {"loss": loss + self.tuning.penalty() if self.training else loss}


def trained(model):
    return {name: value.numel() for name, value in model.named_parameters() if value.requires_grad}


def tune(model, folder, steps=24, rate=1e-2, **changes):
    harness.settle(1, 1)
    model.tuning.begin(steps)
    rates = {
        "steps": steps,
        "warm_steps": 2,
        "batch_size": 2,
        "warm_learning_rate": 1e-3,
        "eval_steps": 6,
        "patience": 9,
    }
    return harness.fine_tune(
        model,
        torch.zeros(8, 1),
        torch.zeros(2, 1),
        lambda rows: {"x": torch.stack(rows)},
        settings=Training(learning_rate=rate, **rates, **changes),
        warm=False,
        folder=folder / "run",
        seed=1,
        recorder=JsonRecorder(folder / "notes"),
        after_update=model.tuning.after_update,
    )


@pytest.mark.parametrize("method", FEW)
def test_adapters_begin_as_nothing_and_train_few_weights_of_the_top(method, tiny_bert):
    with torch.inference_mode():
        plain, adapted = Told(tiny_bert, "full"), Told(tiny_bert, method)
        assert torch.allclose(plain.eval().states(), adapted.eval().states(), atol=1e-6)
    found = trained(adapted)
    assert found
    assert all(".layer.1." in name for name in found)
    assert sum(found.values()) < sum(trained(plain).values()) / 2


@pytest.mark.parametrize("method", RATES)
def test_each_method_learns_and_leaves_the_rest(method, tiny_bert, tmp_path):
    model = Told(tiny_bert, method)
    before = {name: value.clone() for name, value in model.named_parameters()}
    first = model.eval()(None)["loss"].item()
    assert tune(model, tmp_path, rate=4e-3 * RATES[method])(None)["loss"].item() < first * 0.9
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert moved <= set(trained(model))


def test_adalora_ends_at_the_ranks_that_were_asked_for(tiny_bert, tmp_path):
    model = tune(Told(tiny_bert, "adalora"), tmp_path, steps=30)
    parts = [value for name, value in model.named_parameters() if "lora_E" in name]
    assert sum(len(part) for part in parts) == 3 * len(parts)
    assert sum(int((part != 0).sum()) for part in parts) == 2 * len(parts)


def test_a_resumed_adalora_keeps_what_it_had_given_up(tiny_bert):
    tuning = Told(tiny_bert, "adalora").tuning
    tuning.begin(30)
    for value in tuning._named("lora_E").values():
        value.data = torch.tensor([[0.0], [1.0], [2.0]])
    tuning.after_update(29)
    assert [value.view(-1).tolist() for value in tuning._named("lora_E").values()] == [[0, 1, 2]] * 6


@pytest.mark.parametrize("method", ["lora", "adalora"])
def test_merged_adapters_read_the_same(method, tiny_bert, tmp_path):
    model = tune(Told(tiny_bert, method), tmp_path, steps=6)
    with torch.inference_mode():
        apart = model.states()
        adapters.merge(model.body)
        assert torch.allclose(model.states(), apart, atol=1e-5)
    plain = AutoModel.from_pretrained(tiny_bert, add_pooling_layer=False)
    assert set(model.body.state_dict()) == set(plain.state_dict())


def test_bottlenecks_cannot_be_merged(tiny_bert):
    with pytest.raises(ConfigError, match="bottleneck"):
        adapters.merge(Told(tiny_bert, "bottleneck").body)


def test_the_seed_alone_decides_the_first_weights(tiny_bert):
    torch.manual_seed(3)
    one = Told(tiny_bert, "lora").state_dict()
    torch.manual_seed(4)
    assert all(torch.equal(value, one[name]) for name, value in Told(tiny_bert, "lora").state_dict().items())


@pytest.mark.parametrize("method", ["full", "lora"])
def test_recomputed_activations_give_the_same_weights(method, tiny_bert, tmp_path):
    plain = tune(Told(tiny_bert, method), tmp_path / "plain", steps=4)
    spared = tune(Told(tiny_bert, method), tmp_path / "spared", steps=4, gradient_checkpointing=True)
    for (name, one), other in zip(plain.named_parameters(), spared.parameters(), strict=True):
        assert np.allclose(one.detach(), other.detach(), atol=1e-5), name
    assert not spared.body.is_activation_checkpointing
