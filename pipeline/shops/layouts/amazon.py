"""Amazon Reviews 2018 and 2023: reviews with stars, and item metadata. Nothing tells purchases or users' attributes.

Files hold rows twice: equal reviews get one id, so that landing keeps one. The catalogue has no dates: it arrives on
the shop's first day. Texts carry remains of web pages, which are taken out.
Sources: https://nijianmo.github.io/amazon/ and https://amazon-reviews-2023.github.io/
"""

import html
import json
import re
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from pipeline.settings import Shop
from pipeline.shops.layouts.layout import Layout, Made, Raw, cents, fingerprint, moment

TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)
DOLLARS = r"^\$?([0-9]{1,3}(?:,?[0-9]{3})*(?:\.[0-9]{1,2})?)$"


def _plain(text: str) -> str:
    """Text without tags and entities, in single spaces."""
    return " ".join(TAG.sub(" ", html.unescape(text)).split())


@ibis.udf.scalar.python
def plain(text: str) -> str:
    """Text without tags and entities, in single spaces."""
    return _plain(text)


@ibis.udf.scalar.python
def listed(text: str, between: str) -> str:
    """The distinct parts of a JSON list, joined; a text that is no list is its own only part."""
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        parts = text
    words = [_plain(part) for part in (parts if isinstance(parts, list) else [text]) if isinstance(part, str)]
    return between.join(word for word in dict.fromkeys(words) if word)


def _said(rows: ir.Table) -> ir.Table:
    """Rows with `said`, an id that equal reviews share."""
    return rows.mutate(said=fingerprint(rows.user_id, rows.item_id, rows.ts, rows.stars, rows.summary, rows.words))


def _reviews(raw: ir.Table, _: Shop) -> ir.Table:
    rows = _said(raw)
    return rows.select(
        review_id=rows.said,
        user_id=rows.user_id,
        item_id=rows.item_id,
        ts=rows.ts,
        stars=rows.stars,
        review_title=plain(rows.summary),
        review_text=plain(rows.words),
        review_kind=ibis.literal("review"),
    )


def _events(raw: ir.Table, _: Shop) -> ir.Table:
    rows = _said(raw)
    return rows.select(
        event_id=rows.said,
        user_id=rows.user_id,
        ts=rows.ts,
        kind=ibis.literal("rating"),
        item_id=rows.item_id,
        rating=rows.stars,
    )


def _items(raw: ir.Table, shop: Shop) -> ir.Table:
    given = plain(raw.title).nullif("")
    rows = raw.mutate(given=given, brand=plain(raw.brand).nullif(""), path=listed(raw.path, " > ").nullif(""))
    composed = ibis.coalesce(rows.brand + ", " + rows.path, rows.path, rows.brand, ibis.literal("Item ") + rows.item_id)
    price = cents(rows.price.re_extract(DOLLARS, 1).replace(",", "").nullif(""))
    return rows.select(
        item_id=rows.item_id,
        title=ibis.coalesce(rows.given, composed),
        title_is_composed=rows.given.isnull(),
        description=listed(rows.description, " ").nullif(""),
        category=rows.path,
        brand=rows.brand,
        price_cents=price,
        price_is_derived=ibis.literal(False),
        currency=ibis.ifelse(price.isnull(), ibis.null("string"), ibis.literal(shop.currency)),
        sold_by_measure=ibis.literal(False),
        ds=ibis.literal(shop.first_day),
    )


def _reviews_of_2018(raw: Mapping[str, ir.Table]) -> ir.Table:
    rows = raw["reviews"]
    return rows.select(
        user_id=rows.reviewerID,
        item_id=rows.asin,
        ts=moment(rows.unixReviewTime),
        stars=rows.overall.try_cast("float64"),
        summary=rows.summary,
        words=rows.reviewText,
    )


def _reviews_of_2023(raw: Mapping[str, ir.Table]) -> ir.Table:
    rows = raw["reviews"]
    return rows.select(
        user_id=rows.user_id,
        item_id=rows.parent_asin,
        ts=moment(rows.timestamp, per_second=1000),
        stars=rows.rating.try_cast("float64"),
        summary=rows.title,
        words=rows.text,
    )


LAYOUT_2018 = Layout(
    {
        "reviews": Raw(
            r"(?!meta_).*\.json(\.gz)?",
            ("reviewerID", "asin", "overall", "unixReviewTime"),
            ("summary", "reviewText"),
        ),
        "meta": Raw(r"meta_.*\.json(\.gz)?", ("asin", "title"), ("category", "brand", "price", "description")),
    },
    {
        "reviews": Made(("reviews",), lambda raw, shop: _reviews(_reviews_of_2018(raw), shop)),
        "events": Made(("reviews",), lambda raw, shop: _events(_reviews_of_2018(raw), shop)),
        "items": Made(("meta",), lambda raw, shop: _items(raw["meta"].rename(item_id="asin", path="category"), shop)),
    },
)
LAYOUT_2023 = Layout(
    {
        "reviews": Raw(
            r"(?!meta_).*\.(jsonl|csv)(\.gz)?", ("user_id", "parent_asin", "rating", "timestamp"), ("title", "text")
        ),
        "meta": Raw(
            r"meta_.*\.jsonl(\.gz)?", ("parent_asin", "title"), ("categories", "store", "price", "description")
        ),
    },
    {
        "reviews": Made(("reviews",), lambda raw, shop: _reviews(_reviews_of_2023(raw), shop)),
        "events": Made(("reviews",), lambda raw, shop: _events(_reviews_of_2023(raw), shop)),
        "items": Made(
            ("meta",),
            lambda raw, shop: _items(raw["meta"].rename(item_id="parent_asin", path="categories", brand="store"), shop),
        ),
    },
)
