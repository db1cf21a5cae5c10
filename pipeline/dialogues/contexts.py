"""What a bare file of response selection holds: turns of each context, and its candidates, the right one marked.

A line is a label (1 for what was answered, else 0), the turns of the context oldest first, and a candidate, parted by
tabs; lines of one context stand together. Source: Zhang et al. 2018, https://arxiv.org/abs/1806.09102 (the E-commerce
Dialogue Corpus), whose texts are parted into words by spaces.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.errors import DataError

LABELS = {"0": False, "1": True, "": None}
Context = tuple[str, ...]


@dataclass(frozen=True)
class Contexts:
    """A file's rows.

    Attributes:
        turns: of each of C contexts.
        context: int [N] of each row, ascending.
        candidates: N texts.
        truth: float [N]: 1 for what was answered, 0 for what was not, nan where nothing says so.
    """

    turns: list[Context]
    context: np.ndarray
    candidates: list[str]
    truth: np.ndarray

    def answered(self) -> list[tuple[Context, str]]:
        """Contexts with what was answered, each once."""
        found = [
            (self.turns[self.context[row]], self.candidates[row]) for row in np.flatnonzero(np.nan_to_num(self.truth))
        ]
        return list(dict.fromkeys(found))


def read(path: Path) -> Contexts:
    """Read a file.

    Raises:
        DataError: it is not there or not text, has no line, or a line is not of that form.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one with lines of label, turns and a candidate")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); convert it") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        label, *said = line.split("\t")
        if not line.strip():
            continue
        if label.strip() not in LABELS or len(said) < 2:
            raise DataError(f"{path}:{number}: not label, turns and candidate parted by tabs; mend the line")
        rows.append((LABELS[label.strip()], tuple(said[:-1]), said[-1]))
    if not rows:
        raise DataError(f"{path}: no lines; give one with label, turns and a candidate on each")
    grouped = [(turns, list(group)) for turns, group in groupby(rows, key=lambda row: row[1])]
    context = np.repeat(np.arange(len(grouped)), [len(group) for _, group in grouped])
    truth = np.array([np.nan if label is None else float(label) for label, _, _ in rows])
    return Contexts([turns for turns, _ in grouped], context, [candidate for _, _, candidate in rows], truth)


def beside(path: Path, name: str) -> Path | None:
    """The file of another part in the same folder, such as `train` beside `test`."""
    return next((one for one in sorted(path.parent.iterdir()) if one.stem == name and one != path), None)
