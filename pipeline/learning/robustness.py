"""How a classifier of texts is made to hold when words are spelled or placed a little otherwise.

Noise in texts that teach, and adversarial training: the step in embedding space that raises a batch's loss most is
taken, and the loss there counts, too. Not here: which of it helps, which `benchmarks/robustness.py` measures.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import torch

WORD = re.compile(r"[\u4e00-\u9fff]|[^\W\d_]+")  # a Chinese character stands for a word: none is set apart by spaces
SHARE = 0.1  # of the words of a text that noise touches, one at least

Noise = Callable[[str, np.random.Generator], str]


def typos(text: str, rng: np.random.Generator) -> str:
    """A letter of some words swapped with the next, left out or doubled; of a Chinese text, characters."""

    def mistaken(word: str) -> str:
        if len(word) < 2:
            return str(rng.choice(["", word * 2]))
        place = int(rng.integers(0, len(word) - 1))
        one, other = word[place], word[place + 1]
        return word[:place] + str(rng.choice([other + one, other, one + one + other])) + word[place + 2 :]

    return _touched(text, mistaken, rng)


def dropped(text: str, rng: np.random.Generator) -> str:
    """Some words left out."""
    return _touched(text, lambda _word: "", rng)


def shouted(text: str, _rng: np.random.Generator) -> str:
    """All in capitals."""
    return text.upper()


KINDS: tuple[Noise, ...] = (typos, dropped, shouted)


def noised(texts: Sequence[str], seed: int) -> list[str]:
    """Each text with one kind of noise, drawn."""
    rng = np.random.default_rng(seed)
    return [KINDS[rng.integers(len(KINDS))](text, rng) for text in texts]


def _touched(text: str, change: Callable[[str], str], rng: np.random.Generator) -> str:
    words = list(WORD.finditer(text))
    if not words:
        return text
    chosen = rng.permutation(len(words))[: max(1, round(SHARE * len(words)))]
    for place in sorted(chosen, reverse=True):
        start, end = words[place].span()
        text = text[:start] + change(text[start:end]) + text[end:]
    return text


def hardened(loss_of: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor, radius: float) -> torch.Tensor:
    """The mean of a loss and of the loss a step away, where it rises most.

    Args:
        loss_of: the loss from embeddings [B, T, H] on.
        start: embeddings; what made them is not taught by this loss.
        radius: length of the step as a share of a text's own.

    Source: fast gradient method, Miyato et al. 2017, https://arxiv.org/abs/1605.07725.
    """
    given = start.detach().requires_grad_()
    loss = loss_of(given)
    (slope,) = torch.autograd.grad(loss, given, retain_graph=True)
    far = radius * _length(given.detach()) / _length(slope).clamp(min=1e-12)
    return (loss + loss_of(given.detach() + far * slope)) / 2


def _length(states: torch.Tensor) -> torch.Tensor:
    """Of each text's states: [B, 1, 1] of [B, T, H]."""
    return torch.linalg.vector_norm(states, dim=(1, 2), keepdim=True)
