"""Smaller encoders: matrices in 8 bits, and fewer layers that a larger model teaches. Both are kept as safetensors.

Not here: the layer in 8 bits (`eight_bits`), and what teaches a student (`models.students`).
Sources: distillation, Hinton et al. 2015, https://arxiv.org/abs/1503.02531; a student of every other layer, Sanh et al.
2019, https://arxiv.org/abs/1910.01108.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import softmax

from pipeline.learning import eight_bits

TEMPERATURE = 2.0  # at which a teacher tells how alike classes are
TRUTH = 0.5  # weight of the labels beside what the teacher says


def quantise(body: torch.nn.Module) -> None:
    """Bring every matrix of an encoder's layers to 8 bits; it is read with from now on, on a CPU, and not tuned."""
    body.requires_grad_(False)
    body.encoder = eight_bits.rounded(body.encoder)


def spread(layers: int, depth: int) -> list[int]:
    """Which of the layers a student keeps: evenly spread, the first and the last among them."""
    return [round(place) for place in np.linspace(0, layers - 1, depth)] if depth > 1 else [layers - 1]


def keep_layers(body: torch.nn.Module, places: Sequence[int]) -> None:
    """Drop all layers of an encoder but some."""
    body.encoder.layer = torch.nn.ModuleList([body.encoder.layer[place] for place in places])
    body.config.num_hidden_layers = len(places)


def lesson(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What a student learns: the teacher's softened probabilities and the labels, weighted: float32 [N, C].

    Args:
        logits: [N, C] of the teacher.
        truth: int [N].
    """
    told = softmax(logits / TEMPERATURE, axis=1)
    return (TRUTH * np.eye(logits.shape[1])[truth] + (1 - TRUTH) * told).astype(np.float32)
