"""What a bare file of reviews holds: texts, what each is labelled, and which of them are held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError
from pipeline.models.sentiment import drawn

TEXT = ("text", "review_text", "reviewtext", "review", "comment", "content", "sentence", "body")
LABEL = ("label", "sentiment", "polarity", "class", "target")
STARS = ("stars", "star_rating", "rating", "overall", "score")
TITLE = ("title", "summary", "headline")
SPLIT = ("split", "fold", "part")
HELD_OUT = ("test", "held_out", "holdout", "eval")
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
    rows = _frame(path)
    words = rows[_column(path, rows, text, TEXT, "text")].fillna("").astype(str).str.strip()
    for name in [] if text else _named(rows, TITLE):
        words = (rows[name].fillna("").astype(str).str.strip() + ". " + words).where(rows[name].notna(), words)
        break
    labels = _labels(rows[_column(path, rows, label, LABEL + STARS, "label or stars")])
    classes = sorted({one for one in labels if one is not None}, key=_order)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(f"{path}: {len(classes)} kinds of label; give rows of at least two and at most {MOST_CLASSES}")
    place = {name: number for number, name in enumerate(classes)}
    truth = np.array([-1 if one is None else place[one] for one in labels])
    split = _named(rows, SPLIT)
    held = _given(rows[split[0]]) if split else np.zeros(len(rows), bool)
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


def _frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one of reviews")
    ending = "".join(path.suffixes[-2:]).lower().removesuffix(".gz")[-8:]
    try:
        if ending.endswith(".parquet"):
            return pd.read_parquet(path)
        if ending.endswith((".jsonl", ".json", ".ndjson")):
            return pd.read_json(path, lines=True, dtype=False)
        separator = "\t" if ending.endswith((".tsv", ".txt")) else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable ({' '.join(str(error).split())[:120]}); mend the file") from error


def _named(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns of usual names, in the order of the names."""
    known = {str(column).strip().lower(): str(column) for column in rows.columns}
    return [known[name] for name in names if name in known]


def _column(path: Path, rows: pd.DataFrame, given: str | None, names: Sequence[str], what: str) -> str:
    found = [given] if given in rows.columns else [] if given else _named(rows, names)
    if not found:
        have = ", ".join(str(column) for column in rows.columns)
        raise DataError(
            f"{path}: no column '{given or what}' among {have}; name it with --text-column or --label-column"
        )
    return str(found[0])


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


def _given(column: pd.Series) -> np.ndarray:
    names = column.astype("string").str.strip().str.lower().fillna("")
    return np.asarray(names.isin(HELD_OUT), bool)
