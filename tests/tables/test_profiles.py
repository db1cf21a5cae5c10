"""Profiles: visits, affinities, prices and words, against loops over a few users' lines."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import ibis
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline.contracts.tables import USER_PROFILES
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


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"first_days": 27, "recency_days": 2, "rhythm_days": 1.0, "baskets_90d": 50}, "new"),
        ({"first_days": 90, "recency_days": 61, "rhythm_days": 40.0, "baskets_90d": 50}, "lapsed"),
        ({"first_days": 90, "recency_days": 60, "rhythm_days": 7.0, "baskets_90d": 50}, "slipping"),
        ({"first_days": 90, "recency_days": 14, "rhythm_days": 2.0, "baskets_90d": 50}, "loyal"),
        ({"first_days": 90, "recency_days": 15, "rhythm_days": 2.0, "baskets_90d": 50}, "slipping"),
        ({"first_days": 90, "recency_days": 40, "rhythm_days": None, "baskets_90d": 1}, "occasional"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 10}, "loyal"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 5}, "regular"),
        ({"first_days": 90, "recency_days": 3, "rhythm_days": 7.0, "baskets_90d": 2}, "occasional"),
    ],
)
def test_a_segment_is_what_a_user_does_now_against_their_own_rhythm(facts, code):
    assert profiles.segment(facts, often=10, seldom=2) == code
    assert code in profiles.SEGMENTS


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


def test_rows_hold_to_the_contract_and_to_their_parts(lines):
    visited = profiles.visits(lines, DAY).to_pyarrow()
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
    levels = profiles.price_levels(lines, labels, DAY).to_pyarrow()
    made = profiles.rows(
        visited, shelves, shelves.slice(0, 0), levels, {"ann": np.ones(3, np.float32)}, encoder="e" * 12, currency="USD"
    )
    told = {row["user_key"]: row for row in USER_PROFILES.enforce(made).to_pylist()}
    assert sorted(told) == ["ann", "bob", "dan"]
    assert told["ann"]["embedding"] == [1, 1, 1]
    assert told["bob"]["embedding"] is None
    assert told["dan"]["segment"] == "lapsed"
    assert told["dan"]["rhythm_days"] is None
    assert {row["price_band"] for row in told.values()} == set(profiles.BANDS)
    by_level = sorted(levels.to_pylist(), key=lambda row: row["level"])
    assert [told[row["user_key"]]["price_band"] for row in by_level] == list(profiles.BANDS)
    for row in told.values():
        assert row["summary"] == profiles.summary(row, "USD")
        assert row["brand_affinities"] == []


def test_no_visits_give_no_rows(lines):
    visited = profiles.visits(lines, date(2016, 1, 1)).to_pyarrow()
    empty = pa.table({"user_key": pa.array([], pa.string()), "level": pa.array([], pa.float64())})
    none = pa.table({"user_key": pa.array([], pa.string()), "name": pa.array([], pa.string())})
    made = profiles.rows(visited, none, none, empty, {}, encoder="e" * 12, currency="USD")
    assert len(USER_PROFILES.enforce(made)) == 0
