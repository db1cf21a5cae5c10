"""Ways to the next basket, on baskets small enough to count by hand."""

import numpy as np
import pytest

from pipeline.models import next_baskets
from pipeline.models.next_baskets import Baskets, Rhythm, Ways
from pipeline.models.scoring import dense
from pipeline.models.ways import candidates

USERS = [[[0], [1], [0], [2], [0, 2], [1]], [[2]], [], [[1], [0, 3]]]


@pytest.fixture
def baskets() -> Baskets:
    """Four users, one without any basket, and five items, one never bought."""
    flat = [(user, basket) for user, taken in enumerate(USERS) for basket in taken]
    item = np.array([item for _, basket in flat for item in basket])
    place = np.repeat(np.arange(len(flat)), [len(basket) for _, basket in flat])
    return Baskets(item, place, np.array([user for user, _ in flat]), (4, 5))


def test_the_last_baskets_can_be_left_out_and_asked_for(baskets: Baskets) -> None:
    shorter = baskets.without_last(1)
    assert shorter.sizes.tolist() == [5, 0, 0, 1]
    assert shorter.profile(1.0).toarray().tolist() == [[3, 1, 2, 0, 0], [0] * 5, [0] * 5, [0, 1, 0, 0, 0]]
    assert baskets.from_end(1).toarray().tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0] * 5, [1, 0, 0, 1, 0]]


def test_the_newest_hold_no_more_lines_than_asked_for_but_two_baskets(baskets: Baskets) -> None:
    assert baskets.newest(8).sizes.tolist() == [3, 1, 0, 2]
    assert baskets.newest(1).sizes.tolist() == baskets.newest(7).sizes.tolist() == [2, 1, 0, 2]
    assert baskets.newest(11).item.tolist() == baskets.item.tolist()


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


def test_mixed_baskets_are_some_users_of_one_kind_and_everybody_elses_of_the_other(baskets: Baskets) -> None:
    earlier = baskets.without_last(1)
    mixed = earlier.mixed(baskets, np.array([True, False, False, False]))
    assert mixed.sizes.tolist() == [baskets.sizes[0], *earlier.sizes[1:]]
    assert (mixed.count[0] != baskets.count[0]).nnz == (mixed.count[1:] != earlier.count[1:]).nnz == 0
    assert (np.diff(mixed.basket) >= 0).all() and (np.diff(mixed.owner) >= 0).all()
    assert (mixed.profile(0.5)[0] != baskets.profile(0.5)[0]).nnz == 0


def test_a_profile_forgets_by_the_basket(baskets: Baskets) -> None:
    np.testing.assert_allclose(baskets.profile(0.5)[3].toarray(), [[1, 0.5, 0, 1, 0]])


def test_rhythm_is_since_and_between(baskets: Baskets) -> None:
    rhythm = Rhythm.of(baskets)
    np.testing.assert_allclose(rhythm.since[0].toarray(), [[2, 1, 2, 0, 0]])
    np.testing.assert_allclose(rhythm.gap[0].toarray(), [[2, 4, 1, 0, 0]])


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


def test_baskets_are_read_off_lines_and_back(baskets: Baskets) -> None:
    back = Baskets.of(baskets.lines, 5)
    assert back.item.tolist() == baskets.item.tolist() and back.basket.tolist() == baskets.basket.tolist()
    assert back.owner.tolist() == baskets.owner.tolist() and back.shape == baskets.shape
    assert baskets.lines.age[:3].tolist() == [5, 4, 3]


def test_lift_is_told_only_where_it_is_sure() -> None:
    often = [[[0, 1]] * 30 + [[2]] * 30 + [[0, 2]]]
    item = np.array([one for basket in often[0] for one in basket])
    place = np.repeat(np.arange(61), [len(basket) for basket in often[0]])
    lifts = Ways.of(Baskets(item, place, np.zeros(61, np.int64), (1, 3))).graphs.lifts.toarray()
    assert lifts[0, 1] == lifts[1, 0] == pytest.approx(np.log((30 - 1.96 * np.sqrt(30)) / (31 * 30 / 61)))
    assert lifts[0, 2] == lifts[2, 1] == lifts[0, 0] == 0
