"""Ways to the next item, on sequences small enough to count by hand."""

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.models.next_items import Habits, Sequences, Ways, likeness, nearness, pairs
from pipeline.models.scoring import dense
from pipeline.models.ways import candidates

LINES = [[0, 1, 2], [1, 2, 3], [3], [0, 1]]
PLAIN = Habits(window=2, distance=0.5, backward=0.5, source_power=0, target_power=0, memory=0.5)


def sequences(lines: list[list[int]]) -> Sequences:
    return Sequences(np.array([item for line in lines for item in line], np.int64), np.cumsum([0, *map(len, lines)]))


def lines(given: Sequences) -> list[list[int]]:
    return [given.item[a:b].tolist() for a, b in zip(given.start[:-1], given.start[1:], strict=True)]


def test_the_last_items_can_be_left_out_and_asked_for() -> None:
    whole = sequences(LINES)
    assert lines(whole.without_last(1)) == [[0, 1], [1, 2], [], [0]]
    assert lines(whole.without_last(2)) == [[0], [1], [], []]
    assert whole.from_end(1).tolist() == [2, 3, 3, 1]
    assert whole.from_end(2).tolist() == [1, 2, -1, 0]


def test_pairs_count_what_follows_at_each_distance() -> None:
    counted = pairs(sequences(LINES), 4, PLAIN).toarray()
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 2], expected[2, 3], expected[0, 2], expected[1, 3] = 2, 2, 1, 0.5, 0.5
    np.testing.assert_allclose(counted, expected)


def test_a_profile_forgets_by_the_step() -> None:
    np.testing.assert_allclose(sequences(LINES).profile(4, 0.5, 2).toarray()[0], [0, 0.5, 1, 0])


def test_likeness_leaves_the_item_itself_out() -> None:
    content = sp.csr_matrix(np.array([[1, 0], [0.6, 0.8], [0, 1], [0, 0]], np.float32))
    alike = likeness(content, 1).toarray()
    np.testing.assert_allclose(alike, [[0, 0.6, 0, 0], [0, 0, 0.8, 0], [0, 0.8, 0, 0], [0, 0, 0, 0]], atol=1e-6)


def ways() -> Ways:
    alike = likeness(sp.csr_matrix(np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], np.float32)))
    return Ways.of(sequences([[0, 1], [0, 1], [1, 0, 3], [3]]), 5, {"words": alike}, PLAIN)


def test_nearness_is_the_cosine_of_the_nearest_others_where_it_is_positive() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    np.testing.assert_allclose(nearness(vectors, 1, 2).toarray(), [[0, 0.6, 0], [0.6, 0, 0], [0, 0, 0]], atol=1e-6)


def test_ways_are_counted_of_what_followed() -> None:
    scores = {way: dense(one, 4) for way, one in ways().scores(np.arange(4)).items()}
    assert {way.partition("/")[0] for way in scores} == {"co_visitation", "text", "popularity"}
    assert scores["co_visitation/next"][3].argmax() == 0  # two steps before 3 stands 1, one step 0
    assert scores["text/words"][0].tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 0.5])
    assert scores["popularity/taken"][0].tolist() == [3, 3, 0, 2, 0]


def test_an_item_nobody_took_is_reached_by_its_content() -> None:
    found = candidates(ways(), np.arange(4), 3)
    assert (0, 4) in set(zip(found.user.tolist(), found.item.tolist(), strict=True))


def test_who_took_nothing_gets_what_is_popular() -> None:
    told = Ways.of(sequences([[0, 1], [], [1]]), 3, {}, PLAIN)
    found = candidates(told, np.array([1]), 2)
    assert found.item.tolist() == [0, 1]
    assert np.isfinite(found.features).all()
