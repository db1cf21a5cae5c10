"""What a bare file of dialogue turns holds: texts in order, the intents of each, and which dialogues are held out."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import DataError
from pipeline.models.sentiment import drawn
from pipeline.shops import bare

TEXT = ("utterance", "text", "sentence", "message", "query")
INTENT = ("intent", "intents", "label", "class")
DIALOGUE = ("dialogue_id", "conversationid", "conversation_id", "dialog_id", "session_id", "convo_id")
PARTS = {"train": "train", "dev": "valid", "valid": "valid", "validation": "valid", "test": "test"}
VALID = ("valid", "dev", "validation", "val")
SEVERAL = re.compile(r"<div>|\||;")  # between the intents of a turn that has several
TEST_SHARE, VALID_SHARE = 0.2, 0.12
MOST_CLASSES = 200


@dataclass(frozen=True)
class Turns:
    """A file's rows, in its order.

    Attributes:
        texts: what was said.
        intents: of each turn, in alphabetical order; empty where none is given.
        held_out: bool [N]: predicted and judged, teaches nothing; a dialogue's turns all are or none.
        valid: bool [N]: chooses and weighs.
        is_given: whether the file said itself which rows are held out.
    """

    texts: list[str]
    intents: list[tuple[str, ...]]
    held_out: np.ndarray
    valid: np.ndarray
    is_given: bool

    @property
    def classes(self) -> list[str]:
        """Every intent that teaches, in order."""
        return sorted({one for told, held in zip(self.intents, self.held_out, strict=True) if not held for one in told})


def read(path: Path, text: str | None = None, intent: str | None = None) -> Turns:
    """Read a file, or a folder of files named train, dev (or valid) and test.

    Args:
        path: CSV, tab-separated, JSON lines or Parquet, or a folder of them.
        text: column of the text, else the first of a usual name.
        intent: column of the intents, likewise.

    Raises:
        DataError: it cannot be read, lacks a column, or no two intents teach.
    """
    rows, split = _rows(path)
    texts = bare.words(rows, bare.column(path, rows, text, TEXT, "text"))
    labels = bare.words(rows, bare.column(path, rows, intent, INTENT, "intent"))
    intents = [tuple(sorted({one.strip() for one in SEVERAL.split(label)} - {""})) for label in labels]
    held = split == "test"
    is_given = bool(held.any())
    chance = np.array([drawn(name) for name in _dialogues(rows, texts)])
    if not is_given:
        held = chance < TEST_SHARE
    valid = (split == "valid") & ~held
    if not valid.any():
        valid = ~held & (chance > 1 - VALID_SHARE)
    found = Turns(texts, intents, held | np.array([not told for told in intents]), valid, is_given)
    if not 2 <= len(found.classes) <= MOST_CLASSES:
        raise DataError(f"{path}: {len(found.classes)} intents; give turns of at least two and at most {MOST_CLASSES}")
    return found


def _rows(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows, and for each `train`, `valid` or `test`; empty where nothing says so."""
    if not path.is_dir():
        rows = bare.frame(path, "dialogue turns")
        found = bare.named(rows, bare.SPLIT)
        split = [one.lower() for one in bare.words(rows, found[0])] if found else [""] * len(rows)
        names = ["test" if one in bare.HELD_OUT else "valid" if one in VALID else one for one in split]
        return rows, np.array(names, dtype=object)
    parts = [(PARTS[one.stem.lower()], one) for one in sorted(path.iterdir()) if one.stem.lower() in PARTS]
    if not {"train", "test"} <= {name for name, _ in parts}:
        raise DataError(f"{path}: no files named train and test; give a folder with both, or one file")
    frames = [bare.frame(file, "dialogue turns") for _, file in parts]
    named = np.repeat(np.array([name for name, _ in parts], dtype=object), [len(frame) for frame in frames])
    return pd.concat(frames, ignore_index=True), named


def _dialogues(rows: pd.DataFrame, texts: list[str]) -> list[str]:
    """The dialogue of each row; without a column that says so, its text, so that equal ones fall into one part."""
    found = bare.named(rows, DIALOGUE)
    return bare.words(rows, found[0]) if found else texts
