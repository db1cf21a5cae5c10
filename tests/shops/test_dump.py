"""A public data set as a shop: which files, which days, and what happens to files of another kind."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest

from pipeline.contracts.feeds import FEEDS
from pipeline.errors import DataError, NoData
from pipeline.settings import LandingSettings, Shop
from pipeline.shops.dump import Dump
from pipeline.shops.layouts import LAYOUTS

HEADER = "event_time,event_type,product_id,user_id\n"
LINE = "2020-03-02 10:00:00 UTC,view,7,u1\n"


@pytest.fixture
def opened(landing_shop: Callable[..., Shop], connection: Any) -> Any:
    sources = []

    def made(**files: bytes | str) -> Dump:
        shop = landing_shop(layout="rees46")
        assert shop.landing is not None
        for name, data in files.items():
            path = Path(shop.landing.path, name.replace("_", "."))
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        sources.append(Dump(shop, connection))
        return sources[-1]

    yield made
    for source in sources:
        source.intake.parser.close()


def test_every_layout_of_the_settings_is_there_and_makes_feeds_of_the_contract() -> None:
    assert {*LAYOUTS, "feeds"} == set(get_args(LandingSettings.model_fields["layout"].annotation))
    for layout in LAYOUTS.values():
        assert {"events", "items"} <= layout.feeds.keys() <= FEEDS.keys()
        assert all(set(made.tables) <= layout.tables.keys() for made in layout.feeds.values())


def test_files_are_read_once_and_refused_ones_told_once(opened: Any) -> None:
    source = opened(a_csv=HEADER + LINE, b_csv=b"", c_txt="of another kind")
    end = date(2020, 4, 1)
    first = source.arrivals("events", None, end, {})
    assert set(first.files) == {"a.csv", "b.csv"}
    assert [(file.address, file.reason, file.ds) for file in first.refused] == [("b.csv", "empty", date(2020, 3, 1))]
    assert not source.arrivals("events", None, end, first.files).refused
    assert source.intake.parser.files == 2
    assert source.arrivals("users", None, end, {}) is None


def test_no_files_or_another_layout_s_are_told(opened: Any) -> None:
    with pytest.raises(NoData, match=r"no event of layout rees46"):
        opened().days()
    with pytest.raises(DataError, match=r"layout rees46, events: no column event_type, product_id"):
        opened(a_csv="event_time,user_id\n1,2\n").days()


def test_a_manifest_beside_the_files_is_held_to(opened: Any) -> None:
    source = opened(a_csv=HEADER + LINE, b_csv=HEADER + LINE)
    Path(source.intake.limits.path, "_manifest.json").write_text('{"files": {"a.csv": {"bytes": 1}, "x.zip": {}}}')
    arrived = source.arrivals("events", None, date(2020, 4, 1), {})
    assert [(file.address, file.reason) for file in arrived.refused] == [("a.csv", "torn")]
    assert arrived.rows.count().to_pyarrow().as_py() == 1


def test_what_lies_before_the_first_day_arrives_on_it(opened: Any) -> None:
    source = opened(a_csv=HEADER + LINE + LINE.replace("2020", "2019"))
    rows = source.arrivals("events", None, date(2020, 4, 1), {}).rows
    assert sorted(rows.select("ds").to_pyarrow().column("ds").to_pylist()) == [date(2020, 3, 1), date(2020, 3, 2)]
