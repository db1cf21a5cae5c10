"""Ways to compute the transformer's loss over a large catalogue: python -m benchmarks.training_head [items [tokens]].

One step of the loss alone, forwards and backwards: scores of every item at once, the exact loss in parts
(`learning.softmax`), and the product's sampled loss with as many negatives as the grocer has. The exact ones must tell
the same loss and gradients, the sampled one asks an easier question. Memory is the most that a way holds beyond what
it reads.
"""

import gc
import sys
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.side_by_side import measure, own_peak_mib, peak_anew
from pipeline.models.sequential import Batches, Sequential
from pipeline.settings import load_shop

ITEMS, TOKENS, TEXT, SEED, ROUNDS = 100_000, 1024, 8, 7, 3
LOSS = ("target", "target_texts", "negative", "negative_texts", "expected")
Step = Callable[[], tuple[float, torch.Tensor]]


def steps(items: int, tokens: int) -> dict[str, Step]:
    """The ways: each gives its loss and the gradient of the states."""
    settings = load_shop("grocer").recommender
    torch.manual_seed(SEED)
    model = Sequential(items, TEXT, settings)
    texts = np.random.default_rng(SEED).normal(size=(items, TEXT)).astype(np.float32)
    states = torch.randn(tokens, settings.width)
    window = {"input_ids": np.arange(tokens) % items, "labels": (np.arange(tokens) * 7919) % items}
    sampled, every = (
        Batches(np.arange(1, items + 1), texts, np.ones(items), draws, SEED)([window])
        for draws in (settings.negatives, 0)
    )

    def told(loss: Callable[[torch.Tensor], torch.Tensor]) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        read = states.clone().requires_grad_()
        found = loss(read)
        found.backward()  # type: ignore[no-untyped-call]
        assert read.grad is not None
        return found.item(), read.grad

    def full(read: torch.Tensor) -> torch.Tensor:
        scores = read @ model.items(every["negative"], every["negative_texts"]).T
        return torch.nn.functional.cross_entropy(scores, every["target"] - 1)

    def parts(read: torch.Tensor) -> torch.Tensor:
        return model.loss(read, *(every[name] for name in LOSS if name in every))

    def drawn(read: torch.Tensor) -> torch.Tensor:
        return model.loss(read, *(sampled[name] for name in LOSS))

    return {
        "exact, in parts": lambda: told(parts),
        "exact, all at once": lambda: told(full),
        "sampled": lambda: told(drawn),
    }


def peak_of(step: Step) -> float:
    """MiB that a step holds beyond what there was."""
    gc.collect()
    peak_anew()
    before = own_peak_mib()
    step()
    return own_peak_mib() - before


def main(items: int, tokens: int) -> None:
    """All ways, in turn."""
    torch.set_num_threads(2)
    ways = steps(items, tokens)
    (ours, gradient), (theirs, other), (near, _grad) = (step() for step in ways.values())
    assert abs(ours - theirs) < 1e-4 * theirs and torch.allclose(gradient, other, rtol=1e-3, atol=1e-7), (ours, theirs)
    peaks = {f"{way}/peak MiB": peak_of(step) for way, step in ways.items()}
    losses = {f"{way}/loss": loss for way, loss in zip(ways, (ours, theirs, near), strict=True)}
    taken = measure("training_head", ways, ROUNDS, items=items, tokens=tokens, **peaks, **losses)
    for way, seconds in taken.items():
        peak, loss = peaks[f"{way}/peak MiB"], losses[f"{way}/loss"]
        print(f"{way}: {tokens / seconds:,.0f} tokens/s, {peak:,.0f} MiB, loss {loss:.4f}")


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*(given + [ITEMS, TOKENS][len(given) :]))
