"""The exact loss in parts: the value and gradients of the whole softmax, whatever the size of the parts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning.softmax import exact_loss


def drawn(seed: int, positions: int, count: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    states, items = (torch.randn(n, width, generator=made, dtype=torch.float64) for n in (positions, count))
    return states, items, torch.randint(count, (positions,), generator=made)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(2, 12), st.integers(1, 80))
def test_loss_and_gradients_are_the_whole_softmaxs(seed: int, positions: int, count: int, cells: int) -> None:
    states, items, target = drawn(seed, positions, count, 3)
    found = []
    for loss in (
        lambda one, two: torch.nn.functional.cross_entropy(one @ two.T, target),
        lambda one, two: exact_loss(one, two, target, cells),
    ):
        one, two = states.clone().requires_grad_(), items.clone().requires_grad_()
        told = loss(one, two)
        (3 * told).backward()
        assert one.grad is not None and two.grad is not None
        found.append((told.detach().double(), one.grad, two.grad))
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert exact_loss(states, items, target, cells).item() == pytest.approx(found[0][0].item(), rel=1e-5, abs=1e-6)


def test_no_more_scores_are_held_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.learning import softmax

    held, scored = [], softmax._scored
    monkeypatch.setattr(softmax, "_scored", lambda part, *more: held.append(len(part)) or scored(part, *more))
    states, items, target = drawn(1, 10, 7, 3)
    exact_loss(states.requires_grad_(), items, target, cells=21).backward()
    assert held == [3, 3, 3, 1]
