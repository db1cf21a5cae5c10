"""Scores in whole numbers leave no item out; what a rounded score may be off; who is scanned again."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.models import scan
from pipeline.models.pairs import exact
from pipeline.models.retrieval import search
from pipeline.models.scan import Scan


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    items=st.integers(1, 400),
    width=st.integers(1, 40),
    k=st.integers(1, 20),
    tail=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_rounding_leaves_nobody_out(seed: int, items: int, width: int, k: int, tail: float) -> None:
    """Lengths of vectors that differ by orders of magnitude, where eight bits tell little."""
    rng = np.random.default_rng(seed)
    left, right = (
        (rng.standard_normal((rows, width)) * np.exp(tail * rng.standard_normal((rows, 1)))).astype(np.float32)
        for rows in (9, items)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "TILE", 64)
        patch.setattr(scan, "SAMPLE", 128)
        found = search(left, right, k)
    row, item = np.divmod(np.arange(9 * items), items)
    scores = exact(left, right, row, item).reshape(9, items)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (found.items[:, : min(k, items)] == order).all() and (found.items[:, items:] == -1).all()
    np.testing.assert_array_equal(found.scores[:, : min(k, items)], np.take_along_axis(scores, order, axis=1))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), width=st.integers(1, 70), tail=st.sampled_from([0.0, 2.0, 5.0]))
def test_a_rounded_score_is_off_by_no_more_than_it_says(seed: int, width: int, tail: float) -> None:
    rng = np.random.default_rng(seed)
    users, items = (
        (rng.standard_normal((rows, width)) * np.exp(tail * rng.standard_normal((rows, 1)))).astype(np.float32)
        for rows in (5, 40)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "TILE", 16)
        scanned = Scan(items, 3)
        block = scanned.block(users)
        everything = scanned.reaching(block, np.full(5, -np.inf), None)
        true = users.astype(np.float64) @ items.astype(np.float64).T
        some = scanned.reaching(block, np.median(true, axis=1), None)
    codes = block.codes[:5].numpy().astype(np.int64) @ scanned.codes.numpy().astype(np.int64).T
    tile = np.arange(40) // 16
    off = np.abs(codes * block.unit[:, tile] - true[:, scanned.order])
    assert (off <= block.unsure[:, tile]).all()
    row, item, most = everything
    assert len(row) == 5 * 40 and (most >= true[row, item].astype(np.float32)).all()
    assert set(zip(*np.nonzero(true >= np.median(true, axis=1)[:, None]), strict=True)) <= set(
        zip(some[0], some[1], strict=True)
    )


def test_who_was_bounded_too_high_is_scanned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample that holds every user's best items promises more than the others can give."""
    rng = np.random.default_rng(3)
    users = rng.standard_normal((40, 8)).astype(np.float32)
    items = rng.standard_normal((600, 8)).astype(np.float32)
    items[::6] *= 9
    monkeypatch.setattr(scan, "SAMPLE", 100)
    monkeypatch.setattr(scan, "SLACK", -1.0)
    again = []
    above = Scan._above
    monkeypatch.setattr(
        Scan, "_above", lambda self, block, *rest: again.append(len(block.users)) or above(self, block, *rest)
    )
    found = search(users, items, 20)
    order = np.argsort(-(users.astype(np.float64) @ items.astype(np.float64).T), axis=1)[:, :20]
    assert len(again) > 1
    np.testing.assert_array_equal(found.items, order)
