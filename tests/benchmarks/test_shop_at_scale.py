"""The shop at scale: the grocer's shape at another size, the same bytes again, and drops that land."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks import shop_at_scale
from benchmarks.shop_at_scale import Shape, Size
from pipeline import engine
from pipeline.contracts.feeds import FEEDS
from pipeline.feeds import ingest, partitions
from pipeline.settings import load_shop
from pipeline.shops.source import open_source

SIZE, FIRST = Size(20_000, 400, 20_000, 70), date(2017, 1, 1)


@pytest.fixture(scope="module")
def shape() -> Shape:
    return shop_at_scale.grocer()


@pytest.fixture(scope="module")
def made(shape: Shape) -> pa.Table:
    return pa.concat_tables([rows for _day, rows in shop_at_scale.days(SIZE, shape, FIRST)])


@pytest.fixture(scope="module")
def lines(made: pa.Table) -> pd.DataFrame:
    rows = made.to_pandas().drop_duplicates("event_id")
    rows["at"] = rows["ts"].dt.tz_convert("America/New_York")
    return rows.rename(columns={"user_id": "user", "item_id": "item", "basket_id": "basket"})


def test_the_shape_is_the_grocers(lines: pd.DataFrame, shape: Shape) -> None:
    found, parts = Shape.of(lines), [10, 25, 50, 75, 90]
    assert np.abs(np.percentile(found.goods, parts) - np.percentile(shape.goods, parts)).max() <= 4
    assert found.goods.mean() == pytest.approx(shape.goods.mean(), rel=0.1)
    assert found.weekday == pytest.approx(shape.weekday, abs=0.03)
    hours = [np.bincount(one.minute // 60, minlength=24) / len(one.minute) for one in (found, shape)]
    assert hours[0] == pytest.approx(hours[1], abs=0.03)
    for one, other, count in (
        (found.activity, shape.activity, SIZE.users),
        (found.popularity, shape.popularity, SIZE.items),
    ):
        for part in (0.02, 0.1):
            told = one[int(part * count)], other[int(part * (len(other) - 1))]
            assert told[0] == pytest.approx(told[1], abs=0.08)


def test_households_take_again_what_they_took(shape: Shape) -> None:
    year = Size(20_000, 34, 68_500, 14)  # as many lines a household, and goods, as the grocer has
    rows = pa.concat_tables([rows for _day, rows in shop_at_scale.days(year, shape, FIRST)]).to_pandas()
    rows = rows.drop_duplicates("event_id")
    again = 1 - len(rows[["user_id", "item_id"]].drop_duplicates()) / len(rows)
    assert again == pytest.approx(0.41, abs=0.05)  # 601,619 of the grocer's 1,469,307 lines


def test_exactly_so_many_events_and_the_same_again(made: pa.Table, lines: pd.DataFrame, shape: Shape) -> None:
    assert len(lines) == SIZE.events < len(made) < 1.02 * SIZE.events
    assert not lines.duplicated(["basket", "item"]).any()
    assert set(lines["at"].dt.date) <= {FIRST + timedelta(n) for n in range(SIZE.days)}
    again = pa.concat_tables([rows for _day, rows in shop_at_scale.days(SIZE, shape, FIRST)])
    assert again.equals(made)


def test_sizes_grow_with_events() -> None:
    assert Size.of(10_000_000) == Size(10_000_000, 100_000, 50_000)
    assert Size.of(100_000_000).users == 1_000_000 and Size.of(100_000_000).items < 10 * 50_000


def test_the_drops_land_and_what_came_twice_stands_once(tmp_path, shape: Shape) -> None:
    size = Size(3_000, 50, 300, 9)
    shop_at_scale.write(tmp_path / "drops", size, shape)
    shop, connection = load_shop(str(tmp_path / "drops" / "scale.yaml")), engine.connect(1)
    source, upto = open_source(shop, connection), FIRST + timedelta(size.days - 1)
    for feed in (FEEDS["items"], FEEDS["events"]):
        ingest.land(
            connection, source, tmp_path / "feeds", feed, upto,
            first_day=shop.first_day, zone=shop.zone, secret=b"s" * 32, origin=shop.name,
        )  # fmt: skip
    counts = partitions.counts(tmp_path / "feeds", "events", upto)
    assert counts["published"] == size.events and counts["quarantined"] == 0 and counts["deduplicated"] > 0
    assert partitions.counts(tmp_path / "feeds", "items", upto)["published"] == size.items
