"""Audiences that tell nothing about a few people: any two of a family differ by nobody or by at least k users.

Who sees two audiences of one family, tonight's or last night's, sees their difference, too; were it small, it would
point at people. So changes of an audience wait until k users have changed, or take k users along. Beside it the rule
that keeps audiences from flapping: enter above one threshold, leave below a lower one.

Not here: scores, consents and suppressions, which say who may be in an audience at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

ROUNDS = 24  # repairs of one audience that may add users; afterwards users are only taken out, which comes to an end


@dataclass(frozen=True)
class Wish:
    """One audience as it should be, over the same users [U] as its siblings.

    Attributes:
        wanted: bool, who should be in it.
        allowed: bool, who may be in it at all, wanted or not: nobody else ever is.
        worth: float, what a contact is worth: the worthiest join first, the least worthy leave first.
    """

    wanted: np.ndarray
    allowed: np.ndarray
    worth: np.ndarray


def stays_or_enters(value: np.ndarray, member: np.ndarray, enter: float, leave: float) -> np.ndarray:
    """Hysteresis: who was out enters above one threshold, who was in leaves below a lower one.

    Args:
        value: float [U].
        member: bool [U], in last night's audience.
        enter: threshold to enter.
        leave: threshold to leave, below `enter`.

    Returns:
        Booleans [U].

    Raises:
        ValueError: the thresholds are not in order.
    """
    if not leave < enter:
        raise ValueError(f"hysteresis: leave below {leave} is not lower than enter above {enter}")
    return np.where(member, value >= leave, value > enter)


def differences(audience: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Users an audience has and each other has not, and the reverse.

    Args:
        audience: bool [U].
        others: bool [O, U].

    Returns:
        Two int arrays [O].
    """
    shared = others[:, audience].sum(1)
    return audience.sum() - shared, others.sum(1) - shared


def smallest_difference(audience: np.ndarray, others: np.ndarray) -> int | None:
    """The fewest users, above none, by which an audience and another differ, either way; None when by nobody."""
    found = np.concatenate(differences(audience, others))
    return int(found[found > 0].min()) if (found > 0).any() else None


def guard(wishes: Sequence[Wish], last: np.ndarray, k: int) -> list[np.ndarray | None]:
    """The audiences that may be published, near what is wished for.

    In turn, each audience is mended against last night's and those already settled: of the two ways to undo a small
    difference (without the few, or with enough others) the one that moves fewer users. What cannot be mended falls
    back to last night's, then to a sibling's, then to none.

    Args:
        wishes: the family's audiences tonight; earlier ones are mended less.
        last: bool [L, U], all audiences of the family that were published last night.
        k: users by which audiences must differ if they differ at all, and the smallest audience.

    Returns:
        Booleans [U] an audience, in order; None for one that is withheld.
    """
    settled: list[np.ndarray | None] = []
    for wish in wishes:
        siblings = [audience for audience in settled if audience is not None]
        others = np.concatenate([last, np.array(siblings, bool).reshape(-1, last.shape[1])])
        settled.append(_settle(wish, others, k))
    return settled


def _settle(wish: Wish, others: np.ndarray, k: int) -> np.ndarray | None:
    mended = _mend(wish, others, k)
    if _holds(mended, others, k):
        return mended
    # Another's audience differs from itself by nobody; whether it fits the rest is asked again. Nearest first.
    usable = [other for other in others if not (other & ~wish.allowed).any() and _holds(other, others, k)]
    if not usable:
        return None
    nearest = min(usable, key=lambda other: int((other ^ wish.wanted).sum()))
    # An audience of others' people is worse than none.
    return nearest.copy() if (nearest & wish.wanted).sum() * 2 >= nearest.sum() else None


def _holds(audience: np.ndarray, others: np.ndarray, k: int) -> bool:
    found = np.concatenate(differences(audience, others))
    return bool(audience.sum() >= k and ((found == 0) | (found >= k)).all())


def _mend(wish: Wish, others: np.ndarray, k: int) -> np.ndarray:
    """Undo small differences one by one until none is left, or too few users are."""
    audience = wish.wanted & wish.allowed
    by_worth = np.argsort(-wish.worth, kind="stable")
    for turn in count():
        more, fewer = differences(audience, others)
        small_more, small_fewer = (more > 0) & (more < k), (fewer > 0) & (fewer < k)
        if not (small_more | small_fewer).any() or audience.sum() < k:
            return audience
        may_add = turn < ROUNDS
        if small_more.any():
            mended = _without_or_with_more(audience, others[int(small_more.argmax())], wish, by_worth, k, may_add)
        else:
            mended = _with_or_without_more(audience, others[int(small_fewer.argmax())], wish, by_worth, k, may_add)
        if np.array_equal(mended, audience):  # another that is small itself and shares nobody cannot be got away from
            return audience
        audience = mended
    raise AssertionError("unreachable: late turns only take users out")


def _without_or_with_more(
    audience: np.ndarray, other: np.ndarray, wish: Wish, by_worth: np.ndarray, k: int, may_add: bool
) -> np.ndarray:
    """The audience has a few users that the other lacks: leave them out, or let enough others join."""
    few = audience & ~other
    short = k - int(few.sum())
    joining = by_worth[(wish.allowed & ~audience & ~other)[by_worth]][:short]
    if may_add and len(joining) == short and short < few.sum():
        return _changed(audience, joining, True)
    return audience & other


def _with_or_without_more(
    audience: np.ndarray, other: np.ndarray, wish: Wish, by_worth: np.ndarray, k: int, may_add: bool
) -> np.ndarray:
    """The audience lacks a few users that the other has: take them in, or let the least worthy leave with them."""
    few = other & ~audience
    short = k - int(few.sum())
    if may_add and few.sum() <= short and not (few & ~wish.allowed).any():
        return audience | few
    leaving = by_worth[(audience & other)[by_worth]][::-1][:short]
    return _changed(audience, leaving, False)


def _changed(audience: np.ndarray, places: np.ndarray, member: bool) -> np.ndarray:
    out = audience.copy()
    out[places] = member
    return out
