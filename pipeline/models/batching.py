"""Tokenised texts into batches to read: of like length, so that little is padded, and small enough for the caches.

Not here: the batches that training draws, which the harness makes.
"""

from collections.abc import Sequence

import torch

TOKENS = 512  # of a batch: what a layer makes of more does not stay in the caches, which costs 8 bits all they gain
AT_ONCE = 8192  # texts that are tokenised together; its own notes take many times the room of the ids


def batches(lengths: Sequence[int], tokens: int = TOKENS) -> list[list[int]]:
    """Places of texts, shortest first, so many that with padding they have `tokens` at most, or one longer text.

    Args:
        lengths: of texts in tokens.
        tokens: of a batch, with its padding.
    """
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (lengths[place], place)):
        if not found or (len(found[-1]) + 1) * lengths[place] > tokens:
            found.append([])
        found[-1].append(place)
    return found


def padded(rows: Sequence[Sequence[int]], filler: int) -> dict[str, torch.Tensor]:
    """Ids and mask [B, T] of tokenised texts, filled up to the longest."""
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    ids = torch.full(mask.shape, filler)
    ids[mask] = torch.tensor([one for row in rows for one in row])
    return {"input_ids": ids, "attention_mask": mask.long()}
