"""The night in figures, against plain counting on rows worked out by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest

from pipeline.balance.summary import figures
from pipeline.contracts.tables import EXPERIENCE

SIZES = {"home": 4, "cart": 2}


def row(user, surface, state, **given):
    kept = dict.fromkeys(EXPERIENCE.names) | {
        "list_size": SIZES[surface], "budget": 1, "pinned": 0, "voluntary": 0, "forced": 0, "voluntary_7d": 0,
        "voluntary_by_night": [0] * 7, "unchanged_nights": 0, "is_stale": False, "contradictions": 0,
    }  # fmt: skip
    return kept | {"user_key": user * 32, "surface": surface, "state": state} | given


ROWS = [
    row("a", "home", "idle", rbo=0.9, voluntary=1, forced=1, coherence=0.8, calibration_kl=0.2),
    row("a", "cart", "idle", rbo=1.0, rbo_floor=0.8, coherence=0.8, calibration_kl=0.4),
    row("b", "home", "active", rbo=0.5, voluntary=2, coherence=0.6, is_stale=True, contradictions=2),
    row("b", "cart", "active", rbo=0.7, coherence=0.6, contradictions=1),
    row("c", "home", "new", coherence=1.0, calibration_kl=1.2),
    row("d", "home", "idle", list_size=0, rbo=0.0, voluntary=0, forced=3),
]


def experience(rows=ROWS):
    return pa.Table.from_pylist(rows, EXPERIENCE.schema)


def home(lists):
    rows = [
        {"user_key": user * 32, "rank": rank, "item_id": item}
        for user, items in lists.items()
        for rank, item in enumerate(items, start=1)
    ]
    return pa.Table.from_pylist(rows, pa.schema({"user_key": pa.string(), "rank": pa.int32(), "item_id": pa.string()}))


def test_figures_are_what_counting_by_hand_gives():
    found = figures(experience(), home({"a": "wxyz", "b": "wxpq"}), SIZES, np.zeros(6, int))
    expected = {
        "idle_rbo": 0.95, "idle_rbo/home": 0.9, "idle_rbo/cart": 1.0, "idle_rbo_least": 1.0, "idle_churn": 1 / 6,
        "idle_churn/home": 1 / 4, "active_rbo": 0.6, "active_churn": 2 / 6, "active_churn/home": 0.5, "forced": 1,
        "coherence": (0.8 + 0.6 + 1.0) / 3, "calibration_kl": 0.6, "contradictions": 1, "stale_share": 1,
        "personalisation": 0.5,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_parity_is_between_groups_of_users_and_leaves_out_who_belongs_to_none():
    rows = [row("a", "home", "idle", rbo=rbo) for rbo in [0.9] * 40 + [0.7] * 40 + [0.0] * 40]
    group = np.repeat([0, 1, -1], 40)
    assert figures(experience(rows), home({}), SIZES, group)["parity_gap"] == pytest.approx(0.2)


def test_what_is_not_known_is_left_out():
    found = figures(experience([row("a", "home", "new")]), home({"a": "w"}), SIZES, np.zeros(1, int))
    assert not {"idle_rbo", "idle_churn", "active_churn", "parity_gap", "calibration_kl", "personalisation"} & set(
        found
    )
    assert all(math.isfinite(value) for value in found.values())
    assert found["contradictions"] == 0
