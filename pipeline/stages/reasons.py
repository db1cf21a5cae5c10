"""Plain words for what a block of users is shown tonight: opens what the ranking read, asks `pipeline.explain`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from pipeline import explain
from pipeline.models import cart, scoring
from pipeline.models.recommendations import Lists
from pipeline.models.tree_shares import TreeShares
from pipeline.stages.fine_tune_recommendations import open_version
from pipeline.stages.free_lists import Free
from pipeline.stages.scene import Company, Scene


@dataclass(frozen=True)
class Reasons:
    """Words of one night.

    Attributes:
        scene: of the night.
        words: of the serving model; None where what is popular serves.
        titles: item names by place.
    """

    scene: Scene
    words: explain.Words | None
    titles: list[str]

    @classmethod
    def of(cls, scene: Scene, version: str | None) -> "Reasons":
        """Open the words of the version that serves."""
        inputs = scene.inputs
        titles = inputs.catalogue.column("title").to_pylist()
        if not version:
            return cls(scene, None, titles)
        _model, _rows, texts, order = open_version(inputs.night, inputs, version)
        known = inputs.counted(scene.history, texts, listed_tonight=True)
        shelves = explain.shelf_names(inputs.catalogue.column("category"))
        shares = _InTurn(TreeShares(order.model, inputs.night.shop.threads))
        return cls(scene, explain.Words(known, shares, titles, shelves, texts=texts), titles)

    def apart(self) -> "Reasons":
        """The same with a tally of their own, which is of what they are asked alone."""
        return replace(self, words=self.words and replace(self.words, tally=explain.Tally()))

    def of_lists(self, company: Company, free: Free, shown: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Object [B, K] of each of several lists int [B, K] drawn from one ranking."""
        lists = list(shown)
        wide = free.items[:, : free.features.shape[1]]
        found = [places(wide, items) for items in lists]
        told = np.full(wide.shape, "", dtype=object)
        if self.words and free.features.shape[2]:
            wanted = np.zeros(wide.shape, bool)
            for place in found:
                row, column = np.nonzero(place >= 0)
                wanted[row, place[row, column]] = True
            told = self.words.reasons(Lists(company.rows, wide, free.scores, free.features), wanted)
        out = []
        for items, place in zip(lists, found, strict=True):
            words = np.where(place >= 0, np.take_along_axis(told, np.maximum(place, 0), axis=1), "")
            rest = (items >= 0) & (words == "")
            words[rest] = self._plain(np.repeat(company.rows[:, None], items.shape[1], 1)[rest], items[rest])
            out.append(words)
        return out

    def of_carts(self, company: Company, items: np.ndarray) -> np.ndarray:
        """Object [B, K] of what completes open baskets."""
        held = self.scene.held[np.maximum(company.rows, 0)]
        leads = cart.leads(held, items, self.scene.lifts)
        rows = np.repeat(np.maximum(company.rows, 0), items.shape[1])
        often = np.asarray(self.scene.history.weight[rows, np.maximum(items, 0).ravel()] > 0).reshape(items.shape)
        return explain.basket_reasons(leads, often, self.titles)

    def of_standing(self, company: Company, items: np.ndarray, before: np.ndarray, told: np.ndarray) -> np.ndarray:
        """Object [B, K] of lists that stand: what was told of places is told as of tonight, of others the plain words.

        Args:
            company: the users.
            items: int [B, K] tonight's.
            before: int [B, K] last night's, whose reasons `told` are.
            told: object [B, K].
        """
        place = places(before, items)
        words = np.where(place >= 0, np.take_along_axis(told, np.maximum(place, 0), axis=1), "")
        shown = items >= 0
        user, item = np.repeat(company.rows[:, None], items.shape[1], 1)[shown], items[shown]
        history = self.scene.history
        baskets, age = (scoring.values(one, user, item).astype(np.int64) for one in (history.baskets, history.age))
        goods = (one[item].astype(np.int64) for one in (history.buyers_recent, history.stores))
        facts = (scoring.values(history.gap, user, item), baskets, age, *goods)
        known = zip(words[shown], *(one.tolist() for one in facts), strict=True)
        words[shown] = [explain.renewed(*one) if one[0] else explain.plain_words(*one[2:5]) for one in known]
        return words

    def _plain(self, rows: np.ndarray, items: np.ndarray) -> list[str]:
        """Of places whose features are not known: the user's own habit, else how many took it."""
        history = self.scene.history
        known = rows >= 0
        user = np.maximum(rows, 0)
        baskets, age = (
            np.where(known, np.asarray(one[user, items]).ravel(), 0) for one in (history.baskets, history.age)
        )
        buyers = history.buyers_recent[items]
        return [explain.plain_words(int(b), int(a), int(n)) for b, a, n in zip(baskets, age, buyers, strict=True)]


class _InTurn:
    """Contributions for several threads, one after another: who makes them remembers what it works out."""

    def __init__(self, shares: TreeShares) -> None:
        self.columns, self._shares, self._lock = shares.columns, shares, Lock()

    def contributions(self, features: np.ndarray) -> np.ndarray:
        with self._lock:
            return self._shares.contributions(features)


def places(among: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Where each row's items stand in its other list: int [B, K], -1 where nowhere."""
    same = (items[:, :, None] == among[:, None, :]) & (items >= 0)[:, :, None]
    return np.where(same.any(2), same.argmax(2) if among.shape[1] else 0, -1)
