"""Ways to the next basket, on baskets small enough to count by hand."""

import numpy as np
import pytest

from pipeline.models import next_baskets
from pipeline.models.baskets import Baskets
from pipeline.models.next_baskets import Ways
from pipeline.models.scoring import dense
from pipeline.models.ways import candidates


def test_graphs_are_counted_from_the_newest_and_habits_from_all(
    baskets: Baskets, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Ways.of(baskets)
    every = whole.graphs.follows.nnz
    monkeypatch.setattr(next_baskets, "COUNTED", 7)
    some, newest = Ways.of(baskets), Ways.of(baskets.newest(7))
    for graph in ("follows", "together", "lifts"):
        assert (getattr(some.graphs, graph) != getattr(newest.graphs, graph)).nnz == 0
    assert some.graphs.follows.nnz < every
    assert some.baskets is whole.baskets and (some.graphs.bought == whole.graphs.bought).all()


def test_every_way_scores_and_who_bought_nothing_gets_what_is_popular(baskets: Baskets) -> None:
    ways, users = Ways.of(baskets), np.arange(4)
    scores = {way: dense(one, 4) for way, one in ways.scores(users).items()}
    assert all(one.shape == (4, 5) and np.isfinite(one).all() for one in scores.values())
    assert scores["personal/all"][0].tolist() == [3, 2, 2, 0, 0]
    assert scores["neighbours/habits"][1].argmax() == 0  # the one other buyer of item 2 has item 0 above all
    follows = scores["co_visitation/next"][
        1
    ]  # 0, 1 and 2 came after 2 once each; 0 is the most bought, and damped most
    assert (follows > 0).tolist() == [True, True, True, False, False] and follows[0] < follows[1] == follows[2]
    assert scores["complements/all"][3, 2] > 0
    found = candidates(ways, users, 2)
    assert found.item[found.user == 2].tolist() == [0, 1]
    assert np.isfinite(found.features).all() and 4 not in found.item


def test_lift_is_told_only_where_it_is_sure() -> None:
    often = [[[0, 1]] * 30 + [[2]] * 30 + [[0, 2]]]
    item = np.array([one for basket in often[0] for one in basket])
    place = np.repeat(np.arange(61), [len(basket) for basket in often[0]])
    lifts = Ways.of(Baskets(item, place, np.zeros(61, np.int64), (1, 3))).graphs.lifts.toarray()
    assert lifts[0, 1] == lifts[1, 0] == pytest.approx(np.log((30 - 1.96 * np.sqrt(30)) / (31 * 30 / 61)))
    assert lifts[0, 2] == lifts[2, 1] == lifts[0, 0] == 0
