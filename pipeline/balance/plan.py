"""The shop's pages as arrays: which slots there are, what stands in them by default, and what else may."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.pages import MODULES, TOP_CATEGORY, Page


@dataclass(frozen=True)
class Plan:
    """Slots of all pages one after another: T slots, P pages, M modules.

    Attributes:
        page: int [T] page of each slot, ascending.
        default: int [T] the module that stands there by default.
        anchor: bool [T] it never leaves.
        visibility: float [T] share of visitors who see the slot.
        place: int [P, M] place of each module in the page's order by default; -1 where it may not stand.
        required: bool [P, M] modules that stand on a page whenever they have something to show.
    """

    page: np.ndarray
    default: np.ndarray
    anchor: np.ndarray
    visibility: np.ndarray
    place: np.ndarray
    required: np.ndarray

    @classmethod
    def of(cls, surfaces: Mapping[str, Page], missing: Collection[str]) -> "Plan":
        """The pages of a layout file in a shop where some modules have no input.

        A candidate takes the slot of a module without input; where none is left, the page has a slot less.
        """
        number = {module: n for n, module in enumerate(MODULES)}
        slots, place = [], np.full((len(surfaces), len(MODULES)), -1)
        for page, surface in enumerate(surfaces.values()):
            spare = [number[module] for module in surface.candidates if module not in missing]
            kept: list[tuple[int, int, bool]] = []
            for slot in surface.slots:
                if slot.module not in missing:
                    kept.append((page, number[slot.module], slot.anchor))
                elif spare:
                    kept.append((page, spare.pop(0), False))
            slots += [(*one, seen) for one, seen in zip(kept, surface.visibility, strict=False)]
            ordered = [module for _page, module, _anchor in kept] + spare
            place[page, ordered] = np.arange(len(ordered))
        pages, modules, anchors, visibility = (np.array(column) for column in zip(*slots, strict=True))
        required = np.zeros(place.shape, bool)
        if "home" in surfaces:
            home, top = list(surfaces).index("home"), number[TOP_CATEGORY]
            required[home, top] = place[home, top] >= 0
        return cls(pages, modules, anchors.astype(bool), visibility, place, required)

    @property
    def slot(self) -> np.ndarray:
        """Int [T] number of each slot on its page, 1 first."""
        return np.arange(len(self.page)) - np.searchsorted(self.page, self.page) + 1

    @property
    def default_slot(self) -> np.ndarray:
        """Int [P, M] number of the slot each module has on a page by default, 0 for none."""
        slots = np.zeros_like(self.place)
        slots[self.page, self.default] = self.slot
        return slots

    def open(self, page: int) -> np.ndarray:
        """The page's slots that are no anchor, most visible first."""
        slots = np.flatnonzero((self.page == page) & ~self.anchor)
        return slots[np.argsort(-self.visibility[slots], kind="stable")]

    def may_enter(self, page: int) -> np.ndarray:
        """Bool [M]: modules that may take such a slot."""
        may = self.place[page] >= 0
        may[self.default[(self.page == page) & self.anchor]] = False
        return may
