"""Open baskets: what is taken out of them, and what a model may read of the rest."""

from dataclasses import replace

import numpy as np
import torch

from pipeline.features.history import History
from pipeline.models import open_baskets, sequential
from pipeline.models.open_baskets import halved
from pipeline.models.ways import candidates
from pipeline.settings import RecommenderSettings


def test_last_young_baskets_lose_their_second_half(a_history) -> None:
    history = a_history([[[0, 1], [2, 3, 4]], [[5]], [[6, 7], [0]]], 8)
    cut = halved(history.lines, 8, 1)
    assert cut.lines.item.tolist() == [0, 1, 2, 3, 5, 6, 7, 0] and cut.lines.start.tolist() == [0, 4, 5, 8]
    assert cut.users.tolist() == [0]
    assert [cut.lost[user].indices.tolist() for user in range(3)] == [[4], [], []]


def test_an_old_basket_is_left_whole(a_history) -> None:
    history = a_history([[[0, 1], [2, 3]]], 4)
    older = replace(history.lines, age=history.lines.age + 30)
    cut = halved(older, 4, 7)
    assert cut.lines.item.tolist() == [0, 1, 2, 3] and not len(cut.users) and not cut.lost.nnz


def test_what_is_taken_out_is_not_read(shoppers: History, tiny: RecommenderSettings) -> None:
    """Whatever the lost half was, the ways see the same."""
    torch.manual_seed(0)
    texts = np.eye(12, dtype=np.float32)
    model = sequential.Sequential(12, 12, tiny).eval()
    cut = halved(shoppers.lines, 12, 1)
    assert len(cut.users) > 10
    other = replace(shoppers.lines, item=shoppers.lines.item.copy())
    gone = np.flatnonzero(cut.lost.toarray().ravel())
    user, item = np.divmod(gone, 12)
    for one, lost in zip(user, item, strict=True):
        last = int(other.start[one + 1]) - 1
        assert other.item[last] == lost
        other.item[last] = (lost + 1) % 12
    seen = []
    for lines in (shoppers.lines, other):
        left = replace(shoppers, lines=halved(lines, 12, 1).lines)
        known = open_baskets.knowledge(left, np.arange(11), model, np.arange(1, 13), texts, 8)
        found = candidates(known.ways, cut.users, 5)
        held = left.lines.among(np.arange(11), 12)
        assert not any(
            place in held.item[held.start[one] :][: np.diff(held.start)[one]][-1:]
            for one, place in zip(found.user, found.item, strict=True)
        )
        seen.append(found.features)
    np.testing.assert_array_equal(*seen)
