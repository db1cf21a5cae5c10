"""What readers have had since last night, beside tonight's catalogue."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.tables import CART_RECOMMENDATIONS, EXPERIENCE, RECOMMENDATIONS
from pipeline.stages.before import Before
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import current
from pipeline.warehouse.staging import Staging

DAY, ENTERED = date(2017, 3, 31), date(2017, 3, 20)
USERS = pa.array([f"{n:032x}" for n in range(1, 5)])
SIZES = {"home": 3, "cart": 2}


def listed(user, surface, items, since=ENTERED):
    return [
        {"user_key": USERS[user].as_py(), "surface": surface, "rank": rank, "item_id": item, "score": -rank / 2,
         "reason": f"because of {item}", "kept_since": since, "change_cause": "kept", "is_fallback": False}
        for rank, item in enumerate(items, start=1)
    ]  # fmt: skip


@pytest.fixture
def parent(tmp_path):
    staging = Staging.open(tmp_path, DAY, "night")
    lists = [*listed(0, "home", "bxa"), *listed(0, "email", "c"), *listed(2, "home", "dcba")]
    staging.write(RECOMMENDATIONS, pa.Table.from_pylist(lists, RECOMMENDATIONS.schema))
    blank = {"score": 0.0, "reason": "because", "lift": None, "together": None}
    carts = [
        {"context": kind, "context_id": whose, "rank": 1, "item_id": item, "kept_since": since, "change_cause": cause}
        | blank
        for kind, whose, item, since, cause in (
            ("basket", USERS[2].as_py(), "d", ENTERED, "kept"),
            ("item", "a", "b", None, None),
        )
    ]
    staging.write(CART_RECOMMENDATIONS, pa.Table.from_pylist(carts, CART_RECOMMENDATIONS.schema))
    measured = dict.fromkeys(EXPERIENCE.names) | {
        "user_key": USERS[2].as_py(), "surface": "home", "state": "idle", "list_size": 4, "budget": 2, "pinned": 3,
        "voluntary": 1, "forced": 0, "voluntary_by_night": [9, 0, 1, 2, 0, 0, 1], "voluntary_7d": 13,
        "unchanged_nights": 5, "is_stale": False, "contradictions": 0,
    }  # fmt: skip
    staging.write(EXPERIENCE, pa.Table.from_pylist([measured], EXPERIENCE.schema))
    names = frozenset({RECOMMENDATIONS.name, CART_RECOMMENDATIONS.name, EXPERIENCE.name})
    commit(
        tmp_path, staging, shop="grocer", day=DAY, parent=None, models={}, policy_hash="0" * 64, code_version="1",
        requires=Requirements(None, True, names), bucket=None,
    )  # fmt: skip
    return current(tmp_path)


def test_lists_are_places_beside_the_catalogue_and_what_is_gone_comes_after(parent):
    before = Before(parent, pa.array(list("abcd")))
    assert before.ids.to_pylist() == ["a", "b", "c", "d", "x"]
    shown = before.shown(USERS, SIZES)
    assert shown["home"].items.tolist() == [[1, 4, 0], [-1] * 3, [3, 2, 1], [-1] * 3]
    assert shown["home"].known.tolist() == [True, False, True, False]
    assert set(shown["home"].since[0].tolist()) == {ENTERED}
    assert shown["cart"].items.tolist() == [[-1, -1], [-1, -1], [3, -1], [-1, -1]]


def test_how_lists_came_about_is_carried_on(parent):
    shown = Before(parent, pa.array(list("abcd"))).shown(USERS, SIZES)
    assert shown["home"].spent.tolist() == [[0] * 6, [0] * 6, [0, 1, 2, 0, 0, 1], [0] * 6]
    assert shown["home"].unchanged.tolist() == [0, 0, 5, 0]
    assert not shown["cart"].spent.any()


def test_what_was_said_of_places_is_told(parent):
    told = Before(parent, pa.array(list("abcd"))).told(USERS, SIZES)
    np.testing.assert_array_equal(told["home"].scores, [[-0.5, -1, -1.5], [np.nan] * 3, [-0.5, -1, -1.5], [np.nan] * 3])
    assert told["home"].reasons[0].tolist() == ["because of b", "because of x", "because of a"]
    assert told["home"].reasons[1].tolist() == [""] * 3
    assert told["cart"].reasons.tolist() == [["", ""], ["", ""], ["because", ""], ["", ""]]


def test_only_those_asked_for_are_read(parent):
    shown = Before(parent, pa.array(list("abcd"))).shown(USERS[1:3], SIZES)
    assert shown["home"].items.tolist() == [[-1] * 3, [3, 2, 1]]


def test_a_first_night_has_nothing_before():
    before = Before(None, pa.array(list("ab")))
    assert before.ids.to_pylist() == ["a", "b"]
    assert before.day is None
    shown = before.shown(USERS, SIZES)
    assert not shown["home"].known.any()
    assert not shown["home"].spent.any()
