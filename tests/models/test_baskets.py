"""Users' baskets, small enough to count by hand."""

import numpy as np

from pipeline.models.baskets import Baskets, Rhythm


def test_the_last_baskets_can_be_left_out_and_asked_for(baskets: Baskets) -> None:
    shorter = baskets.without_last(1)
    assert shorter.sizes.tolist() == [5, 0, 0, 1]
    assert shorter.profile(1.0).toarray().tolist() == [[3, 1, 2, 0, 0], [0] * 5, [0] * 5, [0, 1, 0, 0, 0]]
    assert baskets.from_end(1).toarray().tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0] * 5, [1, 0, 0, 1, 0]]


def test_the_newest_hold_no_more_lines_than_asked_for_but_two_baskets(baskets: Baskets) -> None:
    assert baskets.newest(8).sizes.tolist() == [3, 1, 0, 2]
    assert baskets.newest(1).sizes.tolist() == baskets.newest(7).sizes.tolist() == [2, 1, 0, 2]
    assert baskets.newest(11).item.tolist() == baskets.item.tolist()


def test_a_profile_forgets_by_the_basket(baskets: Baskets) -> None:
    np.testing.assert_allclose(baskets.profile(0.5)[3].toarray(), [[1, 0.5, 0, 1, 0]])


def test_rhythm_is_since_and_between(baskets: Baskets) -> None:
    rhythm = Rhythm.of(baskets)
    np.testing.assert_allclose(rhythm.since[0].toarray(), [[2, 1, 2, 0, 0]])
    np.testing.assert_allclose(rhythm.gap[0].toarray(), [[2, 4, 1, 0, 0]])


def test_baskets_are_read_off_lines_and_back(baskets: Baskets) -> None:
    back = Baskets.of(baskets.lines, 5)
    assert back.item.tolist() == baskets.item.tolist() and back.basket.tolist() == baskets.basket.tolist()
    assert back.owner.tolist() == baskets.owner.tolist() and back.shape == baskets.shape
    assert baskets.lines.age[:3].tolist() == [5, 4, 3]


def test_some_users_baskets_are_theirs_in_the_order_asked_for(baskets: Baskets) -> None:
    some = baskets.of_users(np.array([3, 2, 0]))
    assert some.sizes.tolist() == baskets.sizes[[3, 2, 0]].tolist()
    for decay in (1.0, 0.5):
        assert (some.profile(decay) != baskets.profile(decay)[[3, 2, 0]]).nnz == 0
    assert (some.from_end(1) != baskets.from_end(1)[[3, 2, 0]]).nnz == 0
    assert baskets.of_users(np.array([0, 0])).sizes.tolist() == [6, 6]
