"""Who is at rest: idle users whose lists a model made, as long as they may stand."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.stages import at_rest, consenting, desk

EVERYBODY = pa.array(list("abcdefgh"))
# Nights that lists stood, by user and surface.
STOOD = {
    ("a", "home"): 0, ("a", "ad"): 5, ("b", "home"): 3, ("b", "ad"): 3, ("c", "home"): 0, ("c", "ad"): 0,
    ("d", "home"): 0, ("d", "ad"): 0, ("e", "home"): 1, ("f", "home"): 0, ("f", "ad"): 0, ("g", "home"): 0,
    ("h", "home"): 2, ("h", "ad"): 9,
}  # fmt: skip
AGREED = {1: list("abcdfgh"), 2: list("abcdgh")}  # to a personalised shop, and to personalised ads, too


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A night after one that left lists of eight users: c acted since, d has what is popular, e no longer agrees,
    f no longer agrees to ads, g does and has no list of them."""
    users, surfaces = (list(one) for one in zip(*STOOD, strict=True))
    measured = pa.table({"user_key": users, "surface": surfaces, "unchanged_nights": list(STOOD.values())})
    pq.write_table(measured, tmp_path / "experience.parquet")
    lists = pa.table({"user_key": users, "is_fallback": [user == "d" for user in users]})
    pq.write_table(lists, tmp_path / "recommendations.parquet")
    before = SimpleNamespace(
        manifest=SimpleNamespace(day=date(2017, 3, 30), policy_hash="same"),
        path=lambda name: tmp_path / f"{name}.parquet",
    )
    monkeypatch.setattr(desk, "parent", lambda night: before if night.follows else None)
    monkeypatch.setattr(desk, "active_since", lambda night, day: pa.array(["c"]))
    monkeypatch.setattr(consenting, "users", lambda night, *flags: (EVERYBODY, pa.array(AGREED[len(flags)])))

    def made(nights: int = 3, policy: str = "same", *, follows: bool = True) -> Any:
        shop = SimpleNamespace(threads=1, policy=SimpleNamespace(rest_nights=nights), policy_hash=policy)
        return SimpleNamespace(shop=shop, work=tmp_path, follows=follows)

    return made


def found(night: Any, serves: str | None = "model") -> list[Any]:
    count = at_rest.decide(night, serves)
    resting: list[Any] = at_rest.users(night, EVERYBODY).to_pylist()
    assert count == len(resting)
    return resting


def test_idle_users_rest_until_their_lists_have_stood_long_enough(night: Callable[..., Any]) -> None:
    assert found(night()) == ["a", "h"]
    assert found(night(nights=2)) == ["a"]
    assert found(night(nights=4)) == ["a", "b", "h"]


def test_nobody_rests_where_lists_would_be_made_otherwise(night: Callable[..., Any]) -> None:
    assert found(night(nights=0)) == found(night(policy="another")) == found(night(follows=False)) == []
    assert found(night(), serves=None) == []


def test_whom_a_model_ranks_is_who_agrees_and_does_not_rest(night: Callable[..., Any]) -> None:
    at_rest.decide(night(), "model")
    known = pa.array(["a", "b", "c", "e", "g"])
    np.testing.assert_array_equal(at_rest.awake(night(), known), [1, 2, 4])
    assert at_rest.users(night(), known).to_pylist() == ["a"]
