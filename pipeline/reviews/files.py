"""What a bare file of reviews holds: texts, what each is labelled, and which of them are held out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError
from pipeline.models.sentiment import drawn
from pipeline.shops import bare

TEXT = ("text", "review_text", "reviewtext", "review", "comment", "content", "sentence", "body")
LABEL = ("label", "sentiment", "polarity", "class", "target")
STARS = ("stars", "star_rating", "rating", "overall", "score")
TITLE = ("title", "summary", "headline")
TEST_SHARE = 0.2
MOST_CLASSES = 50


@dataclass(frozen=True)
class Reviews:
    """A file's rows.

    Attributes:
        texts: title and text of each row.
        truth: int [N] place of its label in `classes`, -1 where it has none.
        classes: labels in order, worst first where they are numbers.
        held_out: bool [N]; unlabelled rows are.
        is_given: whether the file said itself which rows are held out.
    """

    texts: list[str]
    truth: np.ndarray
    classes: list[str]
    held_out: np.ndarray
    is_given: bool


def read(path: Path, text: str | None = None, label: str | None = None) -> Reviews:
    """Read CSV, tab-separated, JSON lines or Parquet.

    Args:
        path: the file; its ending says the format.
        text: column of the text, else the first with a usual name.
        label: column of the label or stars, likewise.

    Raises:
        DataError: it cannot be read, has no text or label column, or labels of one class only.
    """
    rows = bare.frame(path, "reviews")
    words = rows[bare.column(path, rows, text, TEXT, "text")].fillna("").astype(str).str.strip()
    for name in [] if text else bare.named(rows, TITLE):
        words = (rows[name].fillna("").astype(str).str.strip() + ". " + words).where(rows[name].notna(), words)
        break
    labels = _labels(rows[bare.column(path, rows, label, LABEL + STARS, "label or stars")])
    classes = sorted({one for one in labels if one is not None}, key=_order)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(f"{path}: {len(classes)} kinds of label; give rows of at least two and at most {MOST_CLASSES}")
    place = {name: number for number, name in enumerate(classes)}
    truth = np.array([-1 if one is None else place[one] for one in labels])
    held = bare.held_out(rows)
    is_given = bool(held.any())
    if not is_given:
        held = np.array([drawn(one) < TEST_SHARE for one in words])
    return Reviews(words.tolist(), truth, classes, held | (truth < 0), is_given)


def learnable(reviews: Reviews) -> np.ndarray:
    """Rows that teach: int [n], labelled, not held out, each text once and none that is held out too."""
    names = [" ".join(text.lower().split()) for text in reviews.texts]
    seen = {name for name, held in zip(names, reviews.held_out, strict=True) if held}
    kept = []
    for row, name in enumerate(names):
        if reviews.truth[row] >= 0 and name and name not in seen:
            seen.add(name)
            kept.append(row)
    return np.array(kept, np.int64)


def _labels(column: pd.Series) -> list[str | None]:
    """Labels as words, None where there is none; whole numbers without a fraction, however they were written."""
    words = column.astype("string").str.strip().fillna("").tolist()
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers.isna() == np.array([word == "" for word in words])).all() and (numbers.dropna() % 1 == 0).all():
        return [str(int(number)) if word else None for word, number in zip(words, numbers, strict=True)]
    return [word or None for word in words]


def _order(name: str) -> tuple[float, str]:
    """Numbers by size, then words; what is called bad before what is called good."""
    try:
        return float(name), ""
    except ValueError:
        worse = next(
            (place for place, bad in enumerate(("neg", "bad", "other", "neu")) if name.lower().startswith(bad)), 9
        )
        return float(worse), name
