"""Lists of idle users among everybody's."""

import numpy as np
import pytest

from pipeline.models import order
from pipeline.models.recommendations import Lists
from pipeline.stages.idle import among

USERS = np.array([0, 2, 3, 5, 6, 8, 9])


def lists(users: np.ndarray, at_once: int) -> list[Lists]:
    """Each user's list is of their own number, in blocks."""
    parts = (users[start : start + at_once] for start in range(0, len(users), at_once))
    return [
        Lists(part, np.stack([part, part + 10], 1), np.stack([-part, -part - 0.5], 1), np.ones((len(part), 2, 3)))
        for part in parts
    ]


@pytest.mark.parametrize("some", [[0, 9], [2, 3, 5], [9], [0, 2, 3, 5, 6, 8, 9], [6, 8]])
@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_everybody_has_a_row_and_who_was_ranked_their_list(
    some: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "BLOCK", 3)
    found = list(among(lists(np.array(some), at_once), USERS))
    assert [one.users.tolist() for one in found] == [[0, 2, 3], [5, 6, 8], [9]]
    for one in found:
        for user, items, scores in zip(one.users, one.items, one.scores, strict=True):
            assert items.tolist() == ([user, user + 10] if user in some else [-1, -1])
            assert scores.tolist() == ([-user, -user - 0.5] if user in some else [0, 0])
        assert one.features.shape == (len(one.users), 2, 0)


def test_where_nobody_was_ranked_there_is_nothing() -> None:
    assert list(among([], USERS)) == []
