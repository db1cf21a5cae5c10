"""Promises recounted: what the balance makes keeps them all, and every way of breaking one is seen and refused."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline import gates
from pipeline.audit import recount
from pipeline.audit.finding import Finding
from pipeline.audit.promises import Part, promises
from pipeline.contracts.tables import TABLES
from pipeline.errors import Refused

G1, G2, G3, G4, G5 = "G1_replacements", "G2_overlap", "G3_week", "G4_devices", "G5_contract"
LISTS, EXPERIENCE, LEDGER = "recommendations", "experience", "change_ledger"


@pytest.fixture(scope="module")
def shop(make_shop):
    return make_shop(5, 3)


def recounted(shop, tonight=None, last=None, **world) -> dict[str, dict]:
    frame = promises([Part(tonight or shop.tonight, last or shop.last, shop.world(**world))])
    return {row["promise"]: row for row in frame.to_pylist()}


def test_what_the_balance_makes_keeps_every_promise(make_shop):
    shop, cases = make_shop(7, 1, users=300), {}
    for _ in range(9):
        shop.go()
        for name, row in recounted(shop).items():
            assert row["violations"] == 0, row
            cases[name] = cases.get(name, 0) + row["cases"]
    assert all(cases[name] >= 10_000 for name in (G1, G2, G3, G4, "causes", EXPERIENCE, LEDGER)), cases
    assert cases[G5] == 300 * 9
    assert cases["G11_freshness"] > 1000


def test_a_first_night_has_no_baseline_and_says_so(make_shop):
    rows = recounted(make_shop(5, 1))
    for name in (G1, G2, G3, "G11_freshness", LEDGER):
        assert (rows[name]["cases"], rows[name]["worst"]) == (0, None)
        assert rows[name]["sentence"].startswith("No baseline")
    assert rows["G6_layouts"]["sentence"].startswith("No input")
    assert rows[G4]["cases"] > rows[G5]["cases"] > 0


def changed(shop, table, change):
    """Tonight's tables with one of them changed as a frame."""
    rows = shop.tonight[table].to_pandas(date_as_object=False)
    rows = change(rows)
    return shop.tonight | {table: pa.Table.from_pandas(rows, TABLES[table].schema, preserve_index=False)}


def list_of(shop, state, surface="home"):
    """A user in a state whose list had nothing to change by need, of full length."""
    rows = shop.tonight[EXPERIENCE].to_pandas()
    fit = (rows.surface == surface) & (rows.state == state) & (rows.forced == 0)
    return rows.user_key[fit & (rows.list_size == rows.list_size.max())].iloc[0]


def strangers(shop, rows, user, surface="home"):
    """Items that may be shown to a user and are not."""
    mine = rows[(rows.user_key == user) & (rows.surface == surface)].item_id
    world = shop.world()
    able = pd.DataFrame({"user_key": user, "surface": surface, "item_id": world.items.item_id})
    return [item for item in able.item_id[world.barred(able) == ""] if item not in set(mine)]


def replace_ranks(shop, state, ranks):
    """Other items at some ranks of one list."""

    def change(rows):
        user = list_of(shop, state)
        new = strangers(shop, rows, user)
        for rank, item in zip(ranks, new, strict=False):
            rows.loc[(rows.user_key == user) & (rows.surface == "home") & (rows["rank"] == rank), "item_id"] = item
        return rows

    return lambda shop_: changed(shop_, LISTS, change)


def put(shop, surface, why):
    """An item that a rule bars, at the end of a list."""
    world, keys = shop.world(), shop.keys.to_pylist()
    every = pd.MultiIndex.from_product([keys, [surface], world.items.item_id], names=["user_key", "surface", "item_id"])
    every = every.to_frame(index=False)
    user, _, item = every[world.barred(every) == why].iloc[0]

    def change(rows):
        mine = (rows.user_key == user) & (rows.surface == surface)
        rows.loc[mine & (rows["rank"] == rows["rank"][mine].max()), "item_id"] = item
        return rows

    return changed(shop, LISTS, change)


def swap(rows, user, one, other):
    mine = (rows.user_key == user) & (rows.surface == "home")
    rows.loc[mine, "rank"] = rows.loc[mine, "rank"].replace({one: other, other: one})
    return rows


def stood_still(shop):
    """Last night's home lists, as if nothing had entered for eight nights."""
    before = shop.last[LISTS].to_pandas(date_as_object=False)
    before = before[before.surface == "home"].assign(
        kept_since=pd.Timestamp(shop.day - timedelta(8)), change_cause="kept"
    )
    return changed(shop, LISTS, lambda rows: pd.concat([rows[rows.surface != "home"], before]))


def first_row(table, where, **values):
    def change(rows):
        rows.loc[rows.index[where(rows)][0], list(values)] = list(values.values())
        return rows

    return lambda shop: changed(shop, table, change)


def is_(**values):
    return lambda rows: np.logical_and.reduce([rows[name] == value for name, value in values.items()])


# What is done to tonight's tables, and the promise that must be seen broken.
TAMPERED = {
    "three replaced in an idle list": (G1, lambda shop: replace_ranks(shop, "idle", [12, 13, 14])(shop)),
    "six replaced in an active list": (G1, lambda shop: replace_ranks(shop, "active", range(10, 16))(shop)),
    "an idle list's head replaced": (G2, lambda shop: replace_ranks(shop, "idle", [1])(shop)),
    "an idle list turned round": (
        G2, lambda shop: changed(shop, LISTS, lambda rows: swap(rows, list_of(shop, "idle"), 1, 20))),
    "a rank left out": (
        G4, lambda shop: changed(shop, LISTS, lambda rows: rows.drop(rows.index[rows["rank"] == 2][0]))),
    "an item twice": (G4, lambda shop: changed(shop, LISTS, lambda rows: rows.assign(item_id=rows.item_id.where(
        rows["rank"] != 2, rows.item_id.shift())))),
    "a list too long": (G4, lambda shop: changed(shop, LISTS, lambda rows: pd.concat([rows, rows[
        (rows.surface == "email") & (rows["rank"] == 10)].assign(rank=11, item_id="i089")]))),
    "what is out of stock": (G5, lambda shop: put(shop, "home", "unavailable")),
    "what was just bought": (G5, lambda shop: put(shop, "ad", "just_bought")),
    "what rests, in a mail": (G5, lambda shop: put(shop, "email", "resting")),
    "a younger place": ("causes", first_row(LISTS, is_(change_cause="kept"), kept_since=pd.Timestamp(2017, 5, 1))),
    "a newcomer said to be kept": ("causes", first_row(LISTS, is_(change_cause="user"), change_cause="kept")),
    "an idle user said to have acted": ("causes", first_row(LISTS, is_(change_cause="data"), change_cause="user")),
    "a choice said to be forced": ("causes", first_row(LISTS, is_(change_cause="user"), change_cause="forced")),
    "an entry struck out": (LEDGER, lambda shop: changed(shop, LEDGER, lambda rows: rows.iloc[1:])),
    "an entry made up": (LEDGER, lambda shop: changed(shop, LEDGER, lambda rows: pd.concat([rows, rows.iloc[:1].assign(
        item_id="i999")]))),
    "an arrival called a departure": (LEDGER, first_row(LEDGER, is_(change="entered"), change="left")),
    "another rank": (LEDGER, first_row(LEDGER, is_(change="entered"), rank_now=99)),
    "another cause": (LEDGER, first_row(LEDGER, is_(change="entered", change_cause="user"), change_cause="model")),
    "a rule denied": (LEDGER, first_row(LEDGER, is_(change="left", change_cause="forced"), change_cause="data")),
    "a list unaccounted for": (EXPERIENCE, lambda shop: changed(shop, EXPERIENCE, lambda rows: rows.iloc[1:])),
    "a list made up": (EXPERIENCE, lambda shop: changed(shop, EXPERIENCE, lambda rows: pd.concat([rows, rows.iloc[
        :1].assign(surface="nowhere")]))),
    **{f"experience: another {name}": (EXPERIENCE, first_row(EXPERIENCE, is_(state="idle"), **{name: value})) for
       name, value in {"state": "active", "list_size": 99, "budget": 9, "pinned": 9, "voluntary": 99, "forced": 99,
                       "voluntary_7d": 99, "unchanged_nights": 99, "is_stale": True, "rbo": 0.123, "rbo_floor": 0.123,
                       "churn": 0.123, "contradictions": 99}.items()},
}  # fmt: skip


@pytest.fixture(scope="module")
def broken(shop):
    """The rows of promises on each tampered night."""
    return {name: recounted(shop, tamper(shop)) for name, (_, tamper) in TAMPERED.items()}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_seen(broken, name):
    row = broken[name][TAMPERED[name][0]]
    assert row["violations"] > 0, row
    assert f"{row['violations']:,} break it." in row["sentence"]


def parts_of(shop, tonight, cuts):
    """The night in parts of some users, whose worlds know of no others' purchases but how goods sell."""
    whole, bounds = shop.world(), ["", *(shop.keys[cut].as_py() for cut in cuts), "z"]
    for low, high in pairwise(bounds):
        inside = (pc.field("user_key") >= low) & (pc.field("user_key") < high)
        baskets = (pc.field("context_id") >= low) & (pc.field("context_id") < high)
        tables = [
            {name: rows.filter(baskets if "context_id" in rows.column_names else inside) for name, rows in one.items()}
            for one in (tonight, shop.last)
        ]
        taken = whole.taken[whole.taken.user_key.between(low, high, inclusive="left")]
        yield Part(*tables, shop.world(taken=taken, tried=recount.buyers(whole.taken)))


@pytest.mark.parametrize("name", ["nothing", *list(TAMPERED)[::4]])
def test_parts_are_found_to_be_what_the_whole_is(shop, name):
    tonight = TAMPERED[name][1](shop) if name in TAMPERED else shop.tonight
    tonight = {name: TABLES[name].enforce(rows) if name == EXPERIENCE else rows for name, rows in tonight.items()}
    whole = promises([Part(tonight, shop.last, shop.world())])
    for cuts in ([1], [7, 20, 33]):
        assert promises(parts_of(shop, tonight, cuts)).equals(whole)


def test_a_night_without_parts_is_no_night():
    with pytest.raises(ValueError, match="no part"):
        promises([])


def test_a_week_is_counted_over_its_nights(shop):
    rows = shop.last[EXPERIENCE].to_pylist()
    spent = [row | {"voluntary_by_night": [0, 3, 3, 1, 0, 0, 0]} for row in rows]
    last = shop.last | {EXPERIENCE: pa.Table.from_pylist(spent, TABLES[EXPERIENCE].schema)}
    assert recounted(shop)[G3]["violations"] == 0
    row = recounted(shop, last=last)[G3]
    assert row["violations"] > 0
    assert row["worst"] > 7


def test_lists_that_stand_still_are_counted_on(shop):
    rows = [row | {"unchanged_nights": 6} for row in shop.last[EXPERIENCE].to_pylist()]
    last = shop.last | {EXPERIENCE: pa.Table.from_pylist(rows, TABLES[EXPERIENCE].schema)}
    row = recounted(shop, stood_still(shop), last)["G11_freshness"]
    assert row["violations"] > 0
    assert row["worst"] == 1


def test_lists_that_have_all_there_is_may_stand_still(shop):
    rows = [row | {"unchanged_nights": 6} for row in shop.last[EXPERIENCE].to_pylist()]
    last = shop.last | {EXPERIENCE: pa.Table.from_pylist(rows, TABLES[EXPERIENCE].schema)}
    still = stood_still(shop)
    short = {
        name: tables[LISTS].filter(pa.compute.less(tables[LISTS].column("rank"), 3))
        for name, tables in (("tonight", still), ("last", last))
    }
    full = recounted(shop, still, last)["G11_freshness"]
    row = recounted(shop, still | {LISTS: short["tonight"]}, last | {LISTS: short["last"]})["G11_freshness"]
    assert row["cases"] < full["cases"]
    assert row["violations"] == 0 < full["violations"]


def test_the_gate_refuses_each_of_them(broken, tmp_path):
    seen = {promise: broken[name][promise] for name, (promise, _) in TAMPERED.items()}
    frame = pa.Table.from_pylist(list(seen.values()))
    (verdict,) = gates.check({"promises": frame}, tmp_path)
    counted = [failure for failure in verdict.failures if failure.column == "violations"]
    assert counted[0].observed.startswith(f"{len(seen)} of {len(seen)} rows")
    with pytest.raises(Refused, match=r"promises: .*violations"):
        gates.require([verdict])


def test_the_gate_passes_an_honest_night_and_refuses_a_silent_one(shop, tmp_path):
    elsewhere = [
        Finding(name, 1, 0, 0.0, f"{name}: 1 case.")
        for name in ("G7_audiences", "ad_placements", "answers", "answers_kept", "answers_understood")
    ]
    frame = promises([Part(shop.tonight, shop.last, shop.world())], elsewhere)
    assert gates.check({"promises": frame}, tmp_path)[0].passed
    assert not gates.check({"promises": frame.filter(pa.compute.not_equal(frame.column("promise"), G5))}, tmp_path)[
        0
    ].passed


def test_nobody_keeps_a_personal_list_who_may_not_be_read(shop):
    """A consent withdrawn makes the list a new one: what stood there is no baseline."""
    keys = shop.keys.to_pylist()
    kept, whole = recounted(shop, readable=keys[1:]), recounted(shop)
    assert kept[G1]["cases"] == whole[G1]["cases"] - 6
    assert kept["causes"]["violations"] > 0, "their rows are not of a first night"


def test_a_choice_is_never_excused_by_items_that_had_to_go(shop):
    """What was barred is counted from feeds; a ledger that says so changes nothing."""
    tonight = TAMPERED["three replaced in an idle list"][1](shop)
    excused = [row | {"forced": 3, "voluntary": 0} for row in tonight[EXPERIENCE].to_pylist()]
    tonight |= {EXPERIENCE: pa.Table.from_pylist(excused, TABLES[EXPERIENCE].schema)}
    assert recounted(shop, tonight)[G1]["violations"] == 1


def test_ads_are_for_those_who_agreed(shop):
    keys = shop.keys.to_pylist()
    row = recounted(shop, ads=keys[1:])[G5]
    assert (recounted(shop, ads=keys)[G5]["violations"], row["violations"]) == (0, 1)


def test_a_list_that_came_to_hold_nothing_may_be_named(shop):
    user = list_of(shop, "idle")

    def ended(size):
        def change(rows):
            rows.loc[(rows.user_key == user) & (rows.surface == "home"), "list_size"] = size
            return rows

        gone = changed(shop, LISTS, lambda rows: rows[(rows.user_key != user) | (rows.surface != "home")])
        return gone | {EXPERIENCE: changed(shop, EXPERIENCE, change)[EXPERIENCE]}

    for size, violations in ((0, 0), (20, 1)):
        assert recounted(shop, ended(size))[EXPERIENCE]["violations"] == violations
