"""Changes of lists against plain sets, and what each change is put down to."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance import ledger
from pipeline.contracts.tables import CAUSES

KEPT, FORCED, USER, DATA = (CAUSES.index(name) for name in ("kept", "forced", "user", "data"))


def rows(changes):
    return pd.DataFrame(vars(changes)).itertuples(index=False)


def found(before, after, cause, allowed=None):
    before, after, cause = (np.array([row]) for row in (before, after, cause))
    allowed = before >= 0 if allowed is None else np.array([allowed], bool)
    got = list(rows(ledger.changes(before, after, cause.astype(np.int8), allowed)))
    entered = {one.item: (one.rank_now, CAUSES[one.cause]) for one in got if one.entered}
    left = {one.item: (one.rank_before, CAUSES[one.cause], one.instead) for one in got if not one.entered}
    return entered, left


def test_what_left_by_choice_shares_the_cause_of_what_came_in_its_stead():
    entered, left = found([1, 2, 3, 4], [1, 9, 3, 8], [KEPT, USER, KEPT, DATA])
    assert entered == {9: (2, "user"), 8: (4, "data")}
    assert left == {2: (2, "user", 9), 4: (4, "data", 8)}


def test_what_is_barred_left_because_it_had_to():
    entered, left = found([1, 2, 3], [9, 2, 8], [FORCED, KEPT, USER], [False, True, True])
    assert entered == {9: (1, "forced"), 8: (3, "user")}
    assert left == {1: (1, "forced", -1), 3: (3, "user", 8)}


def test_a_shorter_list_had_to_lose():
    assert found([1, 2, 3], [1, 2, -1], [KEPT, KEPT, KEPT])[1] == {3: (3, "forced", -1)}
    assert found([1, 2, 3], [-1] * 3, [KEPT] * 3, [True, True, False])[1] == {n: (n, "forced", -1) for n in (1, 2, 3)}


def test_a_new_list_and_moved_items_are_no_change():
    assert found([-1] * 3, [1, 2, 3], [CAUSES.index("first_night")] * 3) == ({}, {})
    assert found([1, 2, 3], [3, 1, 2], [KEPT] * 3) == ({}, {})


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_changes_are_the_differences_of_sets(seed):
    rng = np.random.default_rng(seed)
    users, places = 20, 6
    before, after = (np.argsort(rng.random((users, 12)), axis=1)[:, :places] for _ in range(2))
    for lists in (before, after):
        lists[np.arange(places) >= rng.integers(0, places + 1, (users, 1))] = -1
    cause, allowed = rng.integers(1, 6, (users, places)).astype(np.int8), rng.random((users, places)) < 0.7
    got = list(rows(ledger.changes(before, after, cause, allowed)))
    told = {(one.user, one.item, one.entered, one.rank_before, one.rank_now) for one in got}
    expected = set()
    for user in range(users):
        was, now = ([int(i) for i in lists[user] if i >= 0] for lists in (before, after))
        if was:
            expected |= {(user, i, True, 0, now.index(i) + 1) for i in now if i not in was}
            expected |= {(user, i, False, was.index(i) + 1, 0) for i in was if i not in now}
    assert told == expected
    assert len(got) == len(expected)
    # Each heir is a chosen newcomer of the same user, and nobody's twice.
    heirs = [(one.user, one.instead, one.cause) for one in got if one.instead >= 0]
    assert len({(u, h) for u, h, _ in heirs}) == len(heirs)
    for user, heir, code in heirs:
        assert heir in after[user]
        assert heir not in before[user]
        assert cause[user][after[user] == heir] == code != FORCED
