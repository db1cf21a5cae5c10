"""Noise that touches few words and nothing else, and the step that raises a loss most."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning import robustness

TEXT = "the tea was good, and 3 cups of it were gone in a day"


@given(st.text(max_size=40), st.integers(0, 9))
def test_noise_is_drawn_by_its_seed_and_leaves_what_is_no_word(text, seed):
    once, again = (robustness.noised([text] * 3, seed) for _ in range(2))
    assert once == again
    for kind in (robustness.typos, robustness.dropped):
        changed = kind(text, np.random.default_rng(seed))
        rest = [robustness.WORD.sub("", one) for one in (text, changed)]
        assert rest[0] == rest[1]


@pytest.mark.parametrize(("text", "words"), [(TEXT, 13), ("味道不错，很快", 6)])
def test_a_tenth_of_the_words_is_touched(text, words):
    assert len(robustness.WORD.findall(text)) == words
    for seed in range(20):
        left = robustness.WORD.findall(robustness.dropped(text, np.random.default_rng(seed)))
        assert len(left) == words - 1
        wrong = robustness.typos(text, np.random.default_rng(seed))
        assert abs(len(wrong) - len(text)) <= 1
    assert {robustness.typos("go", np.random.default_rng(seed)) for seed in range(20)} == {"og", "o", "ggo"}


def test_every_kind_of_noise_is_drawn():
    found = robustness.noised([TEXT] * 60, 0)
    assert TEXT.upper() in found
    assert len({one for one in found if one != TEXT.upper()}) > 10


def test_the_step_is_as_long_as_said_and_no_other_raises_the_loss_more():
    torch.manual_seed(0)
    start, weight = torch.randn(3, 4, 5), torch.randn(4, 5, requires_grad=True)
    seen = []

    def loss_of(states):
        seen.append(states)
        return (states * weight).sum()

    loss = robustness.hardened(loss_of, start, 0.1)
    step = (seen[1] - start).detach()
    lengths = torch.linalg.vector_norm(start, dim=(1, 2))
    assert torch.allclose(torch.linalg.vector_norm(step, dim=(1, 2)), 0.1 * lengths, rtol=1e-4)
    rise = ((start + step) * weight).sum() - (start * weight).sum()
    for _ in range(50):
        other = torch.randn_like(step)
        other *= 0.1 * (lengths / torch.linalg.vector_norm(other, dim=(1, 2)))[:, None, None]
        assert ((start + other) * weight).sum() - (start * weight).sum() < rise
    assert loss.item() == pytest.approx(((start * weight).sum() + rise / 2).item(), rel=1e-5)
    loss.backward()
    assert torch.allclose(weight.grad, (start + step / 2).sum(0), atol=1e-5)


def test_no_slope_is_no_step():
    assert robustness.hardened(lambda states: 0 * states.sum(), torch.ones(1, 2, 3), 0.1).item() == 0
