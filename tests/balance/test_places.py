"""Who stands where, by plain loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance.places import held, looked_up
from pipeline.balance.surfaces import Ranked
from tests.balance.cases import ranked


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8))
def test_equal_plain_loops(seed: int, width: int, other: int) -> None:
    rng = np.random.default_rng(seed)
    these, _ = ranked(rng, 20, width, 10, ties=False)
    those = Ranked(*ranked(rng, 20, other, 10, ties=False))
    absent = rng.normal(size=20)
    found, values = held(these, those.items), looked_up(these, those, absent)
    for user in range(20):
        known = {item: score for item, score in zip(those.items[user], those.scores[user], strict=True) if item >= 0}
        assert found[user].tolist() == [item in known for item in these[user].tolist()]
        assert values[user].tolist() == [known.get(item, absent[user]) for item in these[user].tolist()]


def test_pads_stand_nowhere() -> None:
    pads, one = np.full((1, 2), -1), Ranked(np.array([[-1, -1, -1]]), np.array([[7.0, 7.0, 7.0]]))
    assert not held(pads, one.items).any()
    assert np.isnan(looked_up(pads, one, np.array([np.nan]))).all()
