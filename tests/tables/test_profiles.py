"""Profiles: visits, affinities, prices and words, against loops over a few users' lines."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import ibis
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.tables import USER_PROFILES
from pipeline.models.axes import Settled
from pipeline.models.profiles import BANDS, SEGMENTS, LastNight
from pipeline.tables import profiles

DAY = date(2017, 6, 30)
SHELVES = {"milk": ("dairy", "Own"), "cheese": ("dairy", "Alp"), "soap": ("bath", "Own"), "salt": ("spices", None)}
PRICES = {"milk": 100, "cheese": 400, "soap": 200, "salt": 50}


@pytest.fixture(scope="module")
def bought():
    """(user, basket, item, day) of three users, the third after the day."""
    draw = np.random.default_rng(11)
    rows = []
    for user in ("ann", "bob"):
        for basket in range(30):
            day = DAY - timedelta(int(draw.integers(0, 220)))
            for item in draw.choice(list(SHELVES), size=int(draw.integers(1, 4)), replace=False):
                rows.append((user, f"{user}{basket}", str(item), day))
    rows += [("cid", "c0", "milk", DAY + timedelta(1)), ("dan", "d0", "soap", DAY - timedelta(120))]
    return rows


@pytest.fixture(scope="module")
def lines(bought):
    table = {
        "user_key": [row[0] for row in bought],
        "basket_id": [row[1] for row in bought],
        "item_id": [row[2] for row in bought],
        "ds": [row[3] for row in bought],
        "ts": [datetime(row[3].year, row[3].month, row[3].day, 12, tzinfo=UTC) for row in bought],
        "quantity": [1] * len(bought),
        "amount_cents": [PRICES[row[2]] for row in bought],
    }
    return ibis.memtable(pa.table(table))


def of(bought, user, within=10_000):
    return [row for row in bought if row[0] == user and 0 <= (DAY - row[3]).days < within]


def test_visits_are_counted_up_to_the_day(bought, lines):
    rows = {row["user_key"]: row for row in profiles.visits(lines, DAY).to_pyarrow().to_pylist()}
    assert sorted(rows) == ["ann", "bob", "dan"]
    for user, row in rows.items():
        days = sorted({line[3] for line in of(bought, user)})
        assert row["recency_days"] == (DAY - days[-1]).days
        assert row["first_days"] == (DAY - days[0]).days
        assert row["baskets_90d"] == len({line[1] for line in of(bought, user, 90)})
        assert row["spend_cents_90d"] == sum(PRICES[line[2]] for line in of(bought, user, 90))
        gaps = [(later - earlier).days for earlier, later in pairwise(days)]
        assert row["rhythm_days"] == (pytest.approx(np.median(gaps)) if gaps else None)
        weekdays = Counter({line[1]: line[3].weekday() for line in of(bought, user)}.values())
        assert row["usual_weekday"] == min(weekdays, key=lambda day: (-weekdays[day], day))


def test_affinities_are_shares_of_the_last_half_year(bought, lines):
    labels = ibis.memtable(pa.table({"item_id": list(SHELVES), "label": [shelf for shelf, _ in SHELVES.values()]}))
    made = profiles.affinities(lines, labels, DAY, 2).to_pyarrow().to_pylist()
    for user in ("ann", "bob"):
        counted = Counter(SHELVES[line[2]][0] for line in of(bought, user, 180))
        baskets = {shelf: len({r[1] for r in of(bought, user, 180) if SHELVES[r[2]][0] == shelf}) for shelf in counted}
        best = sorted(counted, key=lambda shelf: (-counted[shelf], shelf))[:2]
        assert [row for row in made if row["user_key"] == user] == [
            {
                "user_key": user, "name": shelf, "share": pytest.approx(counted[shelf] / counted.total(), abs=1e-4),
                "baskets": baskets[shelf],
            }
            for shelf in best
        ]  # fmt: skip


def test_goods_without_a_label_take_no_share(lines):
    labels = ibis.memtable(pa.table({"item_id": list(SHELVES), "label": [brand for _, brand in SHELVES.values()]}))
    made = profiles.affinities(lines, labels, DAY, 5).to_pyarrow().to_pylist()
    for user in ("ann", "bob"):
        mine = [row for row in made if row["user_key"] == user]
        assert {row["name"] for row in mine} == {"Own", "Alp"}
        assert sum(row["share"] for row in mine) == pytest.approx(1, abs=1e-3)


def test_a_price_level_is_the_mean_distance_to_the_shelfs_middle(bought, lines):
    prices = ibis.memtable(
        pa.table(
            {
                "item_id": list(SHELVES),
                "label": [shelf for shelf, _ in SHELVES.values()],
                "price_cents": [PRICES[item] for item in SHELVES],
            }
        )
    )
    made = profiles.price_levels(lines, prices, DAY).to_pyarrow().to_pylist()
    middle = {"dairy": 250, "bath": 200, "spices": 50}
    for row in made:
        ratios = [
            round(np.log(PRICES[line[2]] / middle[SHELVES[line[2]][0]]) * 1000)
            for line in of(bought, row["user_key"], 180)
        ]
        assert row["level"] == pytest.approx(np.mean(ratios), abs=1e-6)
    assert {row["user_key"] for row in made} == {"ann", "bob", "dan"}


def test_the_sentence_says_what_the_row_says():
    row = {
        "segment_name": "Shops often", "rhythm_days": 3.5, "usual_weekday": "Friday", "baskets_90d": 20,
        "spend_cents_90d": 12345, "price_band": "value", "category_affinities": [{"name": "MILK"}, {"name": "Soap"}],
    }  # fmt: skip
    assert profiles.summary(row, "USD") == (
        "Shops often: shops about every 3.5 days, mostly on Fridays; 20 baskets and 123.45 USD in the last 90 days; "
        "buys milk and soap most; value price band."
    )
    bare = {**row, "rhythm_days": None, "usual_weekday": None, "category_affinities": []}
    assert profiles.summary(bare, "USD") == (
        "Shops often: has shopped on one day only; 20 baskets and 123.45 USD in the last 90 days; value price band."
    )


def test_taste_is_the_unit_mean_of_what_is_bought():
    weight = sp.csr_matrix(np.array([[2.0, 1.0], [0, 0]], np.float32))
    taste = profiles.tastes(weight, np.eye(2, dtype=np.float32))
    assert taste[0] == pytest.approx(np.array([2, 1]) / 5**0.5, abs=1e-5)
    assert (taste[1] == 0).all()


# --- the sentence ----------------------------------------------------------------------------------------------------

shelf_names = st.text("abcdefg ÄØ&-", max_size=12).map(str.strip).filter(bool)
rows_of_words = st.fixed_dictionaries(
    {
        "segment_name": st.sampled_from(list(SEGMENTS.values())),
        "rhythm_days": st.none() | st.integers(1, 800).map(lambda halves: halves / 2),
        "usual_weekday": st.none() | st.sampled_from(profiles.WEEKDAYS),
        "baskets_90d": st.integers(0, 900),
        "spend_cents_90d": st.none() | st.integers(0, 10_000_000),
        "price_band": st.sampled_from(BANDS),
        "category_affinities": st.lists(shelf_names.map(lambda name: {"name": name.upper()}), max_size=4),
    }
)
# What the sentence is made of besides the row: no fact among them, but for the days that are counted and the currency.
FRAME = {
    *("shops", "about", "every", "days", "day", "has", "shopped", "on", "one", "only", "mostly", "baskets", "basket"),
    *("and", "in", "the", "last", "90", "buys", "most", "price", "band", "USD"),
}


@settings(max_examples=500)
@given(rows_of_words)
def test_every_fact_of_the_sentence_stands_in_the_row(row):
    said = profiles.summary(row, "USD")
    facts = [row["segment_name"], *(entry["name"].lower() for entry in row["category_affinities"][:2])]
    for fact in facts:
        assert fact in said
        said = re.sub(rf"(?<!\w){re.escape(fact)}(?!\w)", " ", said, count=1)
    numbers = [] if row["spend_cents_90d"] is None else [f"{row['spend_cents_90d'] / 100:.2f}"]
    numbers += [str(row["baskets_90d"])] + ([] if row["rhythm_days"] is None else [f"{row['rhythm_days']:g}"])
    named = [row["price_band"]] + ([] if row["usual_weekday"] is None else [f"{row['usual_weekday']}s"])
    left = Counter(re.findall(r"[^\s;:,]+", said.removesuffix("."))) - Counter(numbers + named)
    assert set(left) <= FRAME
    assert ("on one day only" in said) == (row["rhythm_days"] is None)


@given(rows_of_words, st.sampled_from(["segment_name", "baskets_90d", "spend_cents_90d", "price_band"]), rows_of_words)
def test_the_sentence_changes_with_the_row_and_not_without_it(row, name, other):
    said = profiles.summary(row, "USD")
    assert profiles.summary(dict(row), "USD") == said
    unread = {"user_key": "u", "recency_days": 5, "embedding": [1.0], "brand_affinities": [{"name": "Alp"}]}
    assert profiles.summary(row | unread, "USD") == said
    changed = row | {name: other[name]}
    assert (profiles.summary(changed, "USD") == said) == (changed == row)


# --- rows ------------------------------------------------------------------------------------------------------------

FIRST_NIGHT = LastNight({}, frozenset())
MADE = {"day": DAY, "encoder": "e" * 12, "axes": "a" * 12, "currency": "USD"}


@pytest.fixture(scope="module")
def parts(lines):
    """What rows are made of: visits, shelves, brands, price levels, vectors."""
    labels = ibis.memtable(
        pa.table(
            {
                "item_id": list(SHELVES),
                "label": [shelf for shelf, _ in SHELVES.values()],
                "price_cents": [PRICES[item] for item in SHELVES],
            }
        )
    )
    shelves = profiles.affinities(lines, labels.select("item_id", "label"), DAY, 5).to_pyarrow()
    levels = profiles.price_levels(lines, labels, DAY).order_by("user_key").to_pyarrow()
    settled = Settled(np.ones((1, 3), np.float32), "a" * 12, np.array([0.25]), "")
    vectors = dict(zip(["ann"], profiles.vector_columns(settled), strict=True))
    return profiles.visits(lines, DAY).to_pyarrow(), shelves, shelves.slice(0, 0), levels, vectors


def told(made):
    return {row["user_key"]: row for row in USER_PROFILES.enforce(made).to_pylist()}


def test_rows_hold_to_the_contract_and_to_their_parts(parts):
    made = told(profiles.rows(*parts, FIRST_NIGHT, **MADE))
    assert sorted(made) == ["ann", "bob", "dan"]
    assert (made["ann"]["embedding"], made["ann"]["embedding_shift"]) == ([1, 1, 1], 0.25)
    assert (made["bob"]["embedding"], made["bob"]["embedding_shift"]) == (None, None)
    assert made["dan"]["segment"] == "lapsed"
    assert made["dan"]["rhythm_days"] is None
    levels = parts[3].to_pylist()
    assert [made[row["user_key"]]["price_level"] for row in levels] == [
        pytest.approx(np.exp(row["level"] / 1000), abs=1e-4) for row in levels
    ]
    by_level = sorted(levels, key=lambda row: row["level"])
    assert [made[row["user_key"]]["price_band"] for row in by_level] == list(BANDS)
    for row in made.values():
        assert row["summary"] == profiles.summary(row, "USD")
        assert row["brand_affinities"] == []
        assert (row["segment_cause"], row["segment_since"], row["axes"]) == ("first_night", DAY, "a" * 12)
        assert row["basket_cuts"] == profiles.models.quantile_cuts(parts[0].column("baskets_90d"), 1).tolist()
    assert profiles.steadiness(profiles.rows(*parts, FIRST_NIGHT, **MADE), FIRST_NIGHT, DAY) == {}


def test_without_events_the_next_night_says_the_same(parts):
    first = told(profiles.rows(*parts, FIRST_NIGHT, **MADE))
    last = LastNight(first, frozenset(first))
    # The shelf's prices moved, and so did everyone else's level.
    moved = parts[3].set_column(1, "level", pa.array([900.0, -900.0, 0.0]))
    again = profiles.rows(*parts[:3], moved, parts[4], last, **MADE | {"day": DAY + timedelta(1)})
    free = {"segment_cause", "price_cuts"}
    for user, row in told(again).items():
        assert {name: value for name, value in row.items() if name not in free} == {
            name: value for name, value in first[user].items() if name not in free
        }
        assert row["segment_cause"] == "kept"
        assert np.abs(np.subtract(row["price_cuts"], first[user]["price_cuts"])).max() <= 0.02
    assert profiles.steadiness(again, last, DAY + timedelta(1)) == {
        "profiles/idle_users": 3, "profiles/segment_changes": 0, "profiles/segment_flaps@7": 0,
        "profiles/idle_segment_changes": 0, "profiles/idle_cosine": 0.75,
    }  # fmt: skip


def test_rows_are_the_same_in_blocks(parts, monkeypatch):
    whole = profiles.rows(*parts, FIRST_NIGHT, **MADE)
    monkeypatch.setattr(profiles, "BLOCK", 2)
    assert profiles.rows(*parts, FIRST_NIGHT, **MADE).equals(whole) and len(whole) > 2


def test_steadiness_counts_changes_of_all_and_of_the_idle(parts):
    first = told(profiles.rows(*parts, FIRST_NIGHT, **MADE))
    changed = {"segment": "slipping", "segment_before": first["ann"]["segment"], "segment_since": DAY - timedelta(2)}
    rows = {**first, "ann": first["ann"] | changed, "dan": first["dan"] | {"segment": "new"}}
    last = LastNight(rows, frozenset(["bob", "dan"]))
    made = profiles.rows(*parts, last, **MADE)
    assert {row["user_key"]: row["segment_cause"] for row in made.to_pylist()} == {
        "ann": "user", "bob": "kept", "dan": "time",
    }  # fmt: skip
    assert profiles.steadiness(made, last, DAY) == {
        "profiles/idle_users": 2, "profiles/segment_changes": 2 / 3, "profiles/segment_flaps@7": 1 / 3,
        "profiles/idle_segment_changes": 1 / 2,
    }  # fmt: skip


def test_a_shop_without_prices_has_no_price_cuts(parts):
    made = told(profiles.rows(*parts[:3], parts[3].slice(0, 0), {}, FIRST_NIGHT, **MADE))
    assert {(row["price_band"], row["price_level"], row["price_cuts"]) for row in made.values()} == {
        ("middle", None, None)
    }


def test_no_visits_give_no_rows(lines):
    visited = profiles.visits(lines, date(2016, 1, 1)).to_pyarrow()
    empty = pa.table({"user_key": pa.array([], pa.string()), "level": pa.array([], pa.float64())})
    none = pa.table({"user_key": pa.array([], pa.string()), "name": pa.array([], pa.string())})
    made = profiles.rows(visited, none, none, empty, {}, FIRST_NIGHT, **MADE)
    assert len(USER_PROFILES.enforce(made)) == 0
