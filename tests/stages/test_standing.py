"""Lists that stand: in order, each item once, with the scores they were told to have."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.balance.surface import Balanced
from pipeline.stages import free_lists, standing
from pipeline.stages.before import Shown, Told

ROWS = st.lists(st.integers(-1, 6), min_size=1, max_size=12)


@given(ROWS)
def test_each_item_stands_once_where_it_first_came(row: list[int]) -> None:
    found = standing.in_order(np.array([row]))
    kept = list(dict.fromkeys(one for one in row if one >= 0))
    assert found.items[0].tolist() == kept + [-1] * (len(row) - len(kept))
    assert (np.diff(found.scores[0]) < 0).all()


def test_all_lists_come_before_what_is_popular(monkeypatch: Any) -> None:
    users = pa.array(["a", "b"])
    best = free_lists.Free(users, np.array([[7, 1], [7, 1]], np.int32), np.zeros((2, 2)), np.zeros((2, 2, 0)))
    monkeypatch.setattr(free_lists, "popular", lambda *_: best)
    scene: Any = SimpleNamespace(inputs=SimpleNamespace(space=SimpleNamespace(recommendable=None)), history=None)
    found = standing.in_turn(scene, users, [np.array([[1, 2], [3, -1]]), np.array([[2, 4], [5, 3]])])
    assert found.items.tolist() == [[1, 2, 4, 7, -1, -1], [3, 5, 7, 1, -1, -1]]


def test_what_leaves_is_replaced_and_nothing_is_added() -> None:
    items, others = np.array([[0, 1, 2], [3, 4, -1]]), np.array([[2, 5, 6], [5, 6, 0]])
    showable = np.array([1, 0, 1, 1, 1, 1, 1], bool)
    barred = sp.csr_matrix(([1], ([1], [4])), shape=(2, 7))
    some = standing.lacking(items, (showable, barred))
    found = standing.as_many(items, some, others[some], (showable, barred)).items
    nobody = standing.lacking(items, (np.ones(7, bool), barred[[0, 0]]))
    kept = standing.as_many(items, nobody, others[nobody], (np.ones(7, bool), barred[[0, 0]]))
    assert some.tolist() == [0, 1] and not len(nobody)
    assert kept.items.tolist() == items.tolist() and (np.diff(kept.scores) < 0).all()
    assert found.tolist() == [[0, 2, 5], [3, 5, -1]]


def test_scores_are_those_told_and_of_what_came_in_the_least() -> None:
    none, lists = np.zeros(2, np.int64), np.array([[1, 2, 3], [4, -1, -1]])
    shown = Shown(lists, np.zeros((2, 3), "datetime64[D]"), np.zeros((2, 6)), none, none.astype(bool))
    told = Told(np.array([[0.9, -0.2, 0.4], [0.5, np.nan, np.nan]]), np.full((2, 3), "", dtype=object))
    items = np.array([[1, 9, 3], [4, -1, -1]])
    made = Balanced(items, np.zeros(items.shape), np.zeros(items.shape, np.int8), none, none, none, none, none)
    np.testing.assert_array_equal(standing.scored(made, shown, told).scores, [[0.9, -0.2, 0.4], [0.5, np.nan, np.nan]])
