"""Places given to what the models would not show yet, and to something new where a list stands still.

Who is drawn, and what, follows from a salted hash of user and day alone: a rerun draws the same, and nobody's draw
depends on who else is there. What is put in takes the weakest place below the pinned ones, and is spent from the same
budget as any other change. Not here: how large that budget is (`surface`).
Shapes: U users, K places, N candidates.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.balance.places import held, looked_up
from pipeline.balance.surfaces import Ranked
from pipeline.policy import Explore

WHO = np.uint64(0)  # of a user's draws, the one that says whether the user is drawn at all; items have the others


def draws(users: Iterable[str], salt: str) -> np.ndarray:
    """A number of each user from which all draws follow: uint64 [U], uniform.

    Args:
        users: user keys.
        salt: of the shop, the day and the surface.
    """
    salted = hashlib.sha256(f"{len(salt)}:{salt}".encode())

    def draw(key: str) -> int:
        one = salted.copy()
        one.update(key.encode())
        return int.from_bytes(one.digest()[:8])

    return np.fromiter((draw(key) for key in users), np.uint64)


def is_drawn(drawn: np.ndarray, share: float) -> np.ndarray:
    """Which users explore tonight: bool [U], a share of them."""
    return _uniform(drawn, WHO) < share


def sampled(ranked: Ranked, drawn: np.ndarray, temperature: float) -> np.ndarray:
    """Scores by whose order candidates are drawn without replacement, softmax of score / temperature: float [U, N].

    Source: the Gumbel-max trick (Kool et al. 2019).
    """
    uniform = _uniform(drawn[:, None], ranked.items.astype(np.uint64) + np.uint64(1))
    return ranked.scores / temperature - np.log(-np.log(uniform))


@dataclass(frozen=True)
class Explorers:
    """Whose lists get something.

    Attributes:
        explores: bool [U] to show what the models would not show yet.
        still: bool [U] to show something new if the list did not change tonight.
        pinned: int [U] first places that stay.
        drawn: uint64 [U] of `draws`.
    """

    explores: np.ndarray
    still: np.ndarray
    pinned: np.ndarray
    drawn: np.ndarray


def spend(
    before: np.ndarray, lists: np.ndarray, ranked: Ranked, who: Explorers, rules: Explore
) -> tuple[np.ndarray, np.ndarray]:
    """Put in what is explored, then the best candidate outside where a list stood still.

    Args:
        before: int [U, K] last night's lists, -1 pads.
        lists: int [U, K] tonight's.
        ranked: [U, N] candidates that may be shown, best first.
        who: whose.
        rules: how many, from how deep, and how boldly.

    Returns:
        The lists, and bool [U, K] what was put in.
    """
    put = np.zeros(lists.shape, bool)
    some = np.flatnonzero(who.explores | (who.still & (lists == before).all(1)))
    if len(some):
        asked = Explorers(*(one[some] for one in vars(who).values()))
        lists = lists.copy()
        chosen = Ranked(ranked.items[some], ranked.scores[some])
        lists[some], put[some] = _spent(before[some], lists[some], chosen, asked, rules)
    return lists, put


def _spent(
    before: np.ndarray, lists: np.ndarray, ranked: Ranked, who: Explorers, rules: Explore
) -> tuple[np.ndarray, np.ndarray]:
    """The same of users for all of whom something may be done."""
    place = np.arange(ranked.items.shape[1])
    deeper = (place >= lists.shape[1]) & (place < lists.shape[1] + rules.depth)
    deeper = who.explores[:, None] & deeper & ~held(ranked.items, before)
    worth = sampled(ranked, who.drawn, rules.temperature)
    put = np.zeros(lists.shape, bool)
    for _slot in range(rules.slots):
        chosen = _best(ranked, worth, deeper & ~held(ranked.items, lists))
        lists, put = _put(lists, put, ranked, who.pinned, chosen)
    still = who.still & (lists == before).all(1)
    chosen = _best(ranked, -np.broadcast_to(place, ranked.items.shape), still[:, None] & ~held(ranked.items, lists))
    return _put(lists, put, ranked, who.pinned, chosen)


def _put(
    lists: np.ndarray, put: np.ndarray, ranked: Ranked, pinned: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put one more item into each list, -1 into none: in the first empty place, else in the weakest that may change.

    Pinned places and those of what was put in before do not change. Of equally weak places the last is taken; what is
    no candidate is weakest.
    """
    place = np.arange(lists.shape[1])
    worth = looked_up(lists, ranked, np.full(len(lists), -np.inf))
    fixed = (place < pinned[:, None]) | put
    last = lists.shape[1] - 1 - np.where(fixed, np.inf, worth)[:, ::-1].argmin(1)
    length = (lists >= 0).sum(1)
    at = np.where(length < lists.shape[1], length, last)
    row = np.flatnonzero((chosen >= 0) & ~fixed[np.arange(len(lists)), at])
    lists, put = lists.copy(), put.copy()
    lists[row, at[row]], put[row, at[row]] = chosen[row], True
    return lists, put


def _best(ranked: Ranked, worth: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The candidate of the largest worth among those that are outside: int [U], -1 where there is none."""
    able = outside & (ranked.items >= 0)
    best = np.pad(np.where(able, worth, -np.inf), ((0, 0), (0, 1)), constant_values=-np.inf).argmax(1)
    items = np.pad(ranked.items, ((0, 0), (0, 1)), constant_values=-1)
    return np.where(able.any(1), items[np.arange(len(best)), best], -1)


def _uniform(seed: np.ndarray, stream: np.ndarray | np.uint64) -> np.ndarray:
    """Uniform numbers between 0 and 1, exclusive, of a seed and a stream. Source: SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = seed + (stream + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
