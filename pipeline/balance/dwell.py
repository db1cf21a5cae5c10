"""Which module stands in which slot tonight, when values change every night and a page should not.

A layout is one per user for all devices: a small screen shows the first slots of each page. Anchors never move. A user
sees at most one move by choice in 7 days, over all pages; what moves has dwelt where it is, and the move is surely
worth it. A module that lost what it shows is forced out if another can stand in for it. Not here: what modules are
worth (`models.layouts`), files and tables.
Shapes: U users, T slots of all pages one after another, P pages, M modules; days are day numbers.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.balance.plan import Plan

WEEK = 7  # days in which a user sees at most one move
NEVER = -(10**6)  # the day of a move that was not
DIGITS = 9  # of a gain: past these, sums in another order would decide


class Change(IntEnum):
    """What happened to a slot tonight."""

    FIRST = 0
    KEPT = 1
    FORCED = 2
    CHOSEN = 3


@dataclass(frozen=True)
class Layouts:
    """What users see.

    Attributes:
        module: int [U, T]; a row of -1 is a user who has seen none.
        since: int [U, T] the day on which the module came to stand there.
        moved: int [U] the day of the user's last move by choice, or NEVER.
    """

    module: np.ndarray
    since: np.ndarray
    moved: np.ndarray

    @classmethod
    def unseen(cls, users: int, slots: int) -> "Layouts":
        """Those of users who have seen none."""
        return cls(np.full((users, slots), -1), np.full((users, slots), NEVER), np.full(users, NEVER))


@dataclass(frozen=True)
class Worth:
    """What modules are worth tonight.

    Attributes:
        value: float [U, M] to each user.
        shows: bool [U, M] the module has something to show the user.
        common: float [M] to all users.
    """

    value: np.ndarray
    shows: np.ndarray
    common: np.ndarray

    @property
    def now(self) -> np.ndarray:
        """The value, nothing for a module that shows nothing."""
        return np.where(self.shows, self.value, 0.0)

    @property
    def of_all(self) -> "Worth":
        """The same as if everybody were everybody."""
        return Worth(np.broadcast_to(self.common, self.value.shape), self.shows, self.common)


@dataclass(frozen=True)
class Patience:
    """How calm layouts are.

    Attributes:
        dwell: days for which a module stays before it may be moved.
        moves: moves a user may see in a week, 0 or 1.
        margin: share of a page's value that a move has to add.
    """

    dwell: int
    moves: int
    margin: float


def tonight(plan: Plan, before: Layouts, worth: Worth, patience: Patience, today: int) -> tuple[Layouts, np.ndarray]:
    """Tonight's layouts, and what happened to each slot: `Change` [U, T].

    Who has seen none starts from the order that is best for all: the surest guess for whom little is known, and a page
    that people can help one another on. What a user does moves it from there, a step at a time and where it pays.
    """
    new = np.asarray((before.module < 0).all(axis=1))
    module = np.where(new[:, None], best(plan, worth.of_all), mended(plan, before.module, worth))
    forced = np.asarray(module != before.module) & ~new[:, None]
    since = np.where(module == before.module, before.since, today)
    # A page that had to change tonight is not changed further by choice.
    willing = ~new & ~forced.any(axis=1) & (today - before.moved >= WEEK) & (patience.moves > 0)
    moved = _move(plan, module, worth, patience, willing[:, None] & (today - since >= patience.dwell))
    chosen = np.asarray(moved != module)
    change = _changes(new, forced, chosen)
    last = np.where(chosen.any(axis=1), today, before.moved)
    return Layouts(moved, np.where(chosen, today, since), last), change


def unpersonal(plan: Plan, before: Layouts, today: int) -> tuple[Layouts, np.ndarray]:
    """The default layout, for who wants none of their own, and what happened to each slot by it."""
    module = np.tile(plan.default, (len(before.module), 1))
    new = np.asarray((before.module < 0).all(axis=1))
    same = np.asarray(module == before.module)
    since = np.where(same, before.since, today)
    return Layouts(module, since, before.moved), _changes(new, ~same, np.zeros_like(same))


def _changes(new: np.ndarray, forced: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    change = np.where(forced, int(Change.FORCED), int(Change.KEPT))
    change[chosen] = Change.CHOSEN
    change[new] = Change.FIRST
    return change


def best(plan: Plan, worth: Worth) -> np.ndarray:
    """The layout of most value on the most visible slots, ties by the default order: int [U, T]."""
    users, modules = worth.value.shape
    layout = np.tile(plan.default, (users, 1))
    for page in range(len(plan.place)):
        slots = plan.open(page)
        barred = np.broadcast_to(~plan.may_enter(page), (users, modules))
        tie = np.broadcast_to(plan.place[page], (users, modules))
        required = plan.required[page] & worth.shows
        ranked = np.lexsort((tie, -worth.now, ~worth.shows, ~required, barred), axis=1)[:, : len(slots)]
        absent = np.ones((users, modules), bool)
        np.put_along_axis(absent, ranked, False, axis=1)
        layout[:, slots] = np.lexsort((tie, -worth.now, ~worth.shows, absent), axis=1)[:, : len(slots)]
    return layout


def mended(plan: Plan, before: np.ndarray, worth: Worth) -> np.ndarray:
    """The layouts as they were, but for what cannot stay: int [U, T].

    Anchors stand where the plan says. An open slot is vacated when its module may not stand on the page, or shows
    nothing and another could; a required module that shows something takes a vacated slot or that of least value.
    """
    layout = before.copy()
    layout[:, plan.anchor] = plan.default[plan.anchor]
    user = np.arange(len(layout))
    for page in range(len(plan.place)):
        slots, may = plan.open(page), plan.may_enter(page)
        layout[:, slots] = _once(np.where((layout[:, slots] >= 0) & may[layout[:, slots]], layout[:, slots], -1))
        required = plan.required[page] & worth.shows
        for _ in slots:  # each turn mends the worst slot of every user
            held = layout[:, slots]
            barred = _stands(held, worth.value.shape[1]) | ~may
            tie = np.broadcast_to(plan.place[page], barred.shape)
            enters = np.lexsort((tie, -worth.now, ~worth.shows, ~required, barred), axis=1)[:, 0]
            keeps = np.take_along_axis(np.where(required, np.inf, worth.now), np.maximum(held, 0), axis=1)
            shows = np.take_along_axis(worth.shows, np.maximum(held, 0), axis=1)
            keeps = np.where(held < 0, -2.0, np.where(shows, keeps, -1.0))
            # The most visible of those vacated; of modules worth the same, the least visible.
            last = keeps.shape[1] - 1 - keeps[:, ::-1].argmin(axis=1)
            at = np.where(keeps.min(axis=1) < 0, keeps.argmin(axis=1), last)
            lowest = keeps[user, at]
            due = (lowest == -2) | ((lowest == -1) & worth.shows[user, enters]) | required[user, enters]
            now = due & (lowest < np.inf) & ~barred[user, enters]
            if not now.any():
                break
            layout[user[now], slots[at[now]]] = enters[now]
    return layout


def _once(held: np.ndarray) -> np.ndarray:
    """The same with a module that stands twice taken out where it comes later."""
    held = held.copy()
    for later in range(1, held.shape[1]):
        held[(held[:, :later] == held[:, [later]]).any(axis=1), later] = -1
    return held


def _stands(held: np.ndarray, modules: int) -> np.ndarray:
    """Bool [U, M] which modules are among those held; -1 is none."""
    stands = np.zeros((len(held), modules + 1), bool)
    np.put_along_axis(stands, np.where(held < 0, modules, held), True, axis=1)
    return stands[:, :modules]


def _move(plan: Plan, layout: np.ndarray, worth: Worth, patience: Patience, rested: np.ndarray) -> np.ndarray:
    """The layouts after each user's best move, where one is worth it.

    A move swaps two modules of a page or has one that stands on it nowhere take a slot.
    """
    user, value = np.arange(len(layout)), worth.now
    gain = np.zeros(len(layout))
    first, second, enters = (np.full(len(layout), -1) for _ in range(3))

    def offer(added: np.ndarray, slot: int, other: int, module: int) -> None:
        better = added > gain
        gain[better], first[better], second[better], enters[better] = added[better], slot, other, module

    for page in range(len(plan.place)):
        slots, on_page = plan.open(page).tolist(), np.flatnonzero(plan.page == page)
        least = patience.margin * (value[user[:, None], layout[:, on_page]] @ plan.visibility[on_page])
        here = {slot: value[user, layout[:, slot]] for slot in slots}
        stands, required = _stands(layout[:, on_page], value.shape[1]), plan.required[page] & worth.shows

        def worthwhile(added: np.ndarray, able: np.ndarray, least: np.ndarray = least) -> np.ndarray:
            added = np.round(added, DIGITS)
            return np.where(able & (added > least), added, 0.0)

        for place, slot in enumerate(slots):
            for other in slots[place + 1 :]:
                added = (plan.visibility[slot] - plan.visibility[other]) * (here[other] - here[slot])
                offer(worthwhile(added, rested[:, slot] & rested[:, other]), slot, other, -1)
            stays = required[user, layout[:, slot]]
            for module in np.flatnonzero(plan.may_enter(page)).tolist():
                able = rested[:, slot] & ~stays & ~stands[:, module] & worth.shows[:, module]
                added = plan.visibility[slot] * (value[:, module] - here[slot])
                offer(worthwhile(added, able), slot, -1, module)
    out = layout.copy()
    swaps, takes = np.flatnonzero(second >= 0), np.flatnonzero(enters >= 0)
    out[swaps, first[swaps]], out[swaps, second[swaps]] = layout[swaps, second[swaps]], layout[swaps, first[swaps]]
    out[takes, first[takes]] = enters[takes]
    return out
