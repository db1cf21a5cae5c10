"""Two rankings as one, by plain dictionaries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.blend import blend
from pipeline.balance.surfaces import Ranked
from tests.balance.cases import ranked

SEEDS = st.integers(0, 2**32 - 1)


def plain(own: dict[int, float], other: dict[int, float], weight: float, count: int) -> list[tuple[int, float]]:
    if weight == 0 or not other:
        return list(own.items())
    if not own:
        return list(other.items())[:count]
    mine, theirs = min(own.values()), min(other.values())
    mixed = {
        item: round((1 - weight) * own.get(item, mine) + weight * other.get(item, theirs), 9) for item in own | other
    }
    return sorted(mixed.items(), key=lambda one: (-one[1], one[0]))[:count]


def pairs(one: Ranked, user: int) -> list[tuple[int, float]]:
    return [(item, score) for item, score in zip(one.items[user], one.scores[user], strict=True) if item >= 0]


@settings(max_examples=40)
@given(SEEDS, st.booleans(), st.integers(1, 9), st.integers(1, 9))
def test_equals_plain_dictionaries(seed: int, ties: bool, width: int, other_width: int) -> None:
    rng = np.random.default_rng(seed)
    own = Ranked(*ranked(rng, 50, width, 12, ties=ties))
    other = Ranked(*ranked(rng, 50, other_width, 12, ties=ties))
    weight = rng.choice([0, 0.25, 1], 50)
    mixed = blend(own, other, weight)
    assert mixed.items.shape == own.items.shape
    for user in range(50):
        expected = plain(dict(pairs(own, user)), dict(pairs(other, user)), weight[user], width)
        got = pairs(mixed, user)
        assert [item for item, _ in got] == [item for item, _ in expected]
        assert [score for _, score in got] == pytest.approx([score for _, score in expected])
        assert (mixed.items[user, len(expected) :] == -1).all()


def test_one_ranking_may_stand_for_everybody_and_nothing_given_is_changed() -> None:
    own = Ranked(np.array([[1, 2], [3, -1]]), np.array([[2.0, 1.0], [0.0, -np.inf]]))
    kept = own.items.copy()
    mixed = blend(own, Ranked(np.array([[2, 9]]), np.array([[6.0, 4.0]])), np.array([0.5, 0.5]))
    assert mixed.items.tolist() == [[2, 1], [2, 3]]
    assert mixed.scores.tolist() == [[3.5, 3.0], [3.0, 2.0]]  # 3 and 9 are even: the lower number stands
    assert (own.items == kept).all()
