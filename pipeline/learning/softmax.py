"""The exact softmax loss over many items, without holding a score of every position for every item.

Not here: what states and item vectors are, nor the sampled loss (`models.sequential`).
"""

from typing import Any

import torch

CELLS = 2**24  # scores held at once: 64 MiB


def exact_loss(states: torch.Tensor, items: torch.Tensor, target: torch.Tensor, cells: int = CELLS) -> torch.Tensor:
    """Mean cross-entropy of the softmax over all items, as `cross_entropy(states @ items.T, target)` would give.

    Scores are made for some positions at a time and turned into gradients at once, so that a step costs the three
    matrix products it costs anyway, and no more memory than for those positions.

    Args:
        states: float [M, D].
        items: float [V, D].
        target: int [M] places among the items.
        cells: scores held at once, at most, and never fewer than one position's.

    Source: Hsu et al. 2024, Liger Kernel: Efficient Triton Kernels for LLM Training, fused linear cross-entropy.
    """
    rows = max(cells // len(items), 1)
    if torch.is_grad_enabled():
        loss: torch.Tensor = _Fused.apply(states, items, target, rows)
        return loss
    parts = zip(states.split(rows), target.split(rows), strict=True)
    return torch.stack([_scored(part, items, goal)[1].sum() for part, goal in parts]).sum() / len(states)


def _scored(part: torch.Tensor, items: torch.Tensor, goal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities [m, V] of some positions, and the loss of each [m]."""
    scores = (part @ items.T).float()
    scores -= scores.logsumexp(1, keepdim=True)
    return scores, -scores.gather(1, goal[:, None])[:, 0]


class _Fused(torch.autograd.Function):
    """The loss with its gradients, made while the scores are there."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, items: torch.Tensor, target: torch.Tensor, rows: int) -> torch.Tensor:
        total = states.new_zeros((), dtype=torch.float32)
        of_states, of_items = torch.empty_like(states), torch.zeros_like(items)
        for begin in range(0, len(states), rows):
            part, goal = states[begin : begin + rows], target[begin : begin + rows]
            scores, losses = _scored(part, items, goal)
            total += losses.sum()
            wrong = scores.exp_()
            wrong[torch.arange(len(goal), device=goal.device), goal] -= 1
            wrong = wrong.to(items.dtype)
            of_states[begin : begin + rows] = wrong @ items
            of_items += wrong.T @ part
        ctx.save_for_backward(of_states / len(states), of_items / len(states))
        return total / len(states)

    @staticmethod
    def backward(ctx: Any, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        of_states, of_items = ctx.saved_tensors
        return given[0] * of_states, given[0] * of_items, None, None
