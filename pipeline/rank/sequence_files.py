"""What a bare benchmark of sequences is read from: lines of items, titles, attributes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from pipeline.errors import DataError
from pipeline.models.next_items import Sequences

ATTRIBUTES = 0.5  # what an attribute counts beside a word of the title


@dataclass(frozen=True)
class Bench:
    """A file as arrays: users' own numbers, and sequences of the file's item numbers, all below `items`."""

    users: np.ndarray
    sequences: Sequences
    items: int


def read_sequences(path: Path) -> Bench:
    """Read lines of `user item item …`, whole numbers.

    Raises:
        DataError: the file is not there, a line is not of that form, or a user stands twice.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one with lines of `user item item …`")
    users, items, sizes = [], [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            user, *taken = (int(word) for word in line.split())
        except ValueError as error:
            raise DataError(f"{path}:{number}: '{line[:40]}' is not `user item item …`; mend the line") from error
        if min(taken, default=0) < 0:
            raise DataError(f"{path}:{number}: an item's number is negative; number items from 0")
        users.append(user)
        items.append(taken)
        sizes.append(len(taken))
    if len(set(users)) != len(users) or not users:
        raise DataError(f"{path}: {'a user stands twice' if users else 'no users'}; give one line a user")
    flat = np.array([item for taken in items for item in taken], np.int64)
    return Bench(np.array(users), Sequences(flat, np.r_[0, np.cumsum(sizes)]), int(flat.max(initial=0)) + 1)


@dataclass(frozen=True)
class Known:
    """What is known of the items.

    Attributes:
        titles: by item, "" where there is none; empty where no item has one.
        content: unit rows of TF-IDF over title words and attributes, CSR [I, C].
    """

    titles: list[str]
    content: sp.csr_matrix


def read_items(items: int, titles: Path | None, attributes: Path | None) -> Known:
    """Read what is known of the items.

    Args:
        items: how many.
        titles: tab-separated with a header; item first, title last.
        attributes: JSON, lists of attribute numbers by item.

    Raises:
        DataError: a file cannot be read.
    """
    parts: list[sp.csr_matrix] = []
    words = [""] * items if titles else []
    if titles:
        for item, text in _titles(titles):
            if item < items:
                words[item] = text
        parts.append(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(words))
    if attributes:
        known = _attributes(attributes)
        pairs = [(item, one) for item, held in known.items() if item < items for one in held]
        row, column = np.array(pairs, np.int64).reshape(-1, 2).T
        held = sp.csr_matrix((np.ones(len(row)), (row, column)), shape=(items, int(column.max(initial=0)) + 1))
        rarity = np.log(items / np.maximum(np.asarray((held > 0).sum(0)).ravel(), 1))
        parts.append(normalize(held @ sp.diags(rarity)) * (ATTRIBUTES if titles else 1.0))
    if not parts:
        return Known(words, sp.csr_matrix((items, 1), dtype=np.float32))
    return Known(words, normalize(sp.hstack(parts)).tocsr().astype(np.float32))


def _titles(path: Path) -> list[tuple[int, str]]:
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        return [(int(line[0]), line[-1]) for line in lines]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as item and title, tab-separated ({error}); mend the file") from error


def _attributes(path: Path) -> dict[int, list[int]]:
    try:
        return {int(item): [int(one) for one in held] for item, held in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: not readable as lists of numbers by item ({error}); mend the file") from error
