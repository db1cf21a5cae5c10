"""Random lists and candidates for the tests of the balance, many users at once."""

from dataclasses import dataclass

import numpy as np

from pipeline.balance.merge import EMPTY, GONE


@dataclass(frozen=True)
class Case:
    """Last night's lists, tonight's candidates, and what each user may see change."""

    before: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    budget: np.ndarray
    pinned: np.ndarray


def ranked(
    rng: np.random.Generator, users: int, count: int, goods: int, *, ties: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of each user, best first: some of the goods, and fewer than `count` for some users."""
    items = np.argsort(rng.random((users, goods)), axis=1)[:, :count]
    scores = np.sort(rng.integers(0, 6, items.shape) / 2 if ties else rng.normal(size=items.shape), axis=1)[:, ::-1]
    short = rng.random(users) < 0.3
    length = np.where(short, rng.integers(0, items.shape[1] + 1, users), items.shape[1])
    pad = np.arange(items.shape[1]) >= length[:, None]
    return np.where(pad, EMPTY, items), np.where(pad, -np.inf, scores)


def merges(seed: int, users: int, places: int, count: int, goods: int, *, ties: bool, gone: float = 0.15) -> Case:
    """Lists of last night, some short, with some items gone."""
    rng = np.random.default_rng(seed)
    before, _ = ranked(rng, users, places, goods, ties=ties)
    before = np.where((before >= 0) & (rng.random(before.shape) < gone), GONE, before)
    items, scores = ranked(rng, users, count, goods, ties=ties)
    return Case(before, items, scores, rng.integers(0, places + 1, users), rng.integers(0, places + 1, users))
