"""The review_sentiment and item_sentiment tables: what each review says, and of each item what all of them do."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import ITEM_SENTIMENT
from pipeline.metrics.intervals import wilson
from pipeline.models.sentiment import POLARITIES

WHOLE = "(all)"
NEGATIVE, NEUTRAL, POSITIVE = range(3)
RECENT_DAYS, TREND_LEAST = 90, 5
EXAMPLES = 3
DIGITS = 6
OPINIONS = ("review", "feedback")  # kinds that speak of an item; a question is read and counts for none


@dataclass(frozen=True)
class Saying:
    """One review, or one clause of it, about one aspect of an item."""

    item_id: str
    aspect: str
    review_id: str
    day: date
    polarity: int
    sureness: float
    span: tuple[int, int]


@dataclass(frozen=True)
class Floor:
    """When an item is suppressed: surely less than `share` of at least `reviews` opinions are good."""

    share: float
    reviews: int


def given(stars: np.ndarray) -> np.ndarray:
    """Polarity of given stars: int [N], -1 where there are none."""
    return np.select([np.isnan(stars), stars <= 2, stars < 4], [-1, NEGATIVE, NEUTRAL], POSITIVE)


def review_rows(
    reviews: pa.Table, chance: np.ndarray, expected: np.ndarray, version: np.ndarray, days: pa.Array
) -> pa.Table:
    """One row a review that says anything.

    Args:
        reviews: review_id, user_key, item_id, review_kind, language, stars.
        chance: float [N, 3] of POLARITIES, nan where no model read it.
        expected: float [N] stars by the words, nan likewise.
        version: object [N] of the model, None likewise.
        days: local day of each.
    """
    read = ~np.isnan(chance[:, 0])
    filled = np.where(read[:, None], chance, 0)
    stars = reviews.column("stars").to_numpy().astype(np.float64)
    polarity = np.where(read, filled.argmax(1), given(stars))
    columns: dict[str, Any] = {
        name: reviews.column(name) for name in ("review_id", "user_key", "item_id", "review_kind", "language", "stars")
    }
    columns |= {
        "reviewed_on": days,
        "polarity": pa.array(np.array([*POLARITIES, None], dtype=object)[polarity], pa.string()),
        "polarity_probability": pa.array(np.round(filled.max(1), DIGITS), mask=~read),
        "expected_stars": pa.array(np.round(np.where(read, expected, 0), DIGITS), mask=~read),
        "model_version": pa.array(version, pa.string()),
    }
    return pa.table(columns).filter(pc.field("polarity").is_valid())


def wholes(rows: pa.Table, lengths: dict[str, int]) -> list[Saying]:
    """What reviews say of their item as a whole: by the stars given where there are any, else by the words.

    Args:
        rows: of review_sentiment.
        lengths: characters of each review.
    """
    found = []
    for row in rows.to_pylist():
        if row["review_kind"] in OPINIONS:
            by_stars = row["stars"] is not None
            polarity = int(given(np.array([row["stars"]], float))[0]) if by_stars else POLARITIES.index(row["polarity"])
            agrees = row["polarity_probability"] is not None and POLARITIES[polarity] == row["polarity"]
            sureness = row["polarity_probability"] if agrees else 0.0
            span = (0, lengths[row["review_id"]])
            found.append(Saying(row["item_id"], WHOLE, row["review_id"], row["reviewed_on"], polarity, sureness, span))
    return found


def item_rows(sayings: Sequence[Saying], day: date, floor: Floor, hidden: Collection[str] = ()) -> pa.Table:
    """One row an item and aspect.

    Args:
        sayings: of all items.
        day: the business day.
        floor: of suppression, asked of the whole alone.
        hidden: ids of reviews that count and are never shown.
    """
    groups: dict[tuple[str, str], list[Saying]] = defaultdict(list)
    for saying in sayings:
        groups[saying.item_id, saying.aspect].append(saying)
    rows = [
        _row(item, aspect, sorted(mine, key=_best_first), day, floor, hidden)
        for (item, aspect), mine in sorted(groups.items())
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_SENTIMENT.schema)


def disliked(rows: pa.Table) -> list[str]:
    """Items under the floor, sorted."""
    return sorted(rows.filter(pc.field("is_suppressed")).column("item_id").to_pylist())


def _row(
    item: str, aspect: str, mine: Sequence[Saying], day: date, floor: Floor, hidden: Collection[str]
) -> dict[str, Any]:
    positive, negative = (sum(one.polarity == kind for one in mine) for kind in (POSITIVE, NEGATIVE))
    sides = positive + negative
    share, low, high = wilson(positive, sides) if sides else (None, None, None)
    return {
        "item_id": item,
        "aspect": aspect,
        "mentions": len(mine),
        "positive_mentions": positive,
        "negative_mentions": negative,
        "share_positive": share,
        "share_positive_low": low,
        "share_positive_high": high,
        "trend": _trend(mine, day),
        "evidence": [
            {
                "review_id": one.review_id,
                "polarity": POLARITIES[one.polarity],
                "start": one.span[0],
                "stop": one.span[1],
            }
            for one in _examples([one for one in mine if one.review_id not in hidden])
        ],
        "is_suppressed": aspect == WHOLE and high is not None and sides >= floor.reviews and high < floor.share,
    }


def _best_first(saying: Saying) -> tuple[float, int, str]:
    return -round(saying.sureness, DIGITS), -saying.day.toordinal(), saying.review_id


def _examples(mine: Sequence[Saying]) -> list[Saying]:
    """The surest for and against, in turn."""
    sides = [[one for one in mine if one.polarity == kind] for kind in (POSITIVE, NEGATIVE, NEUTRAL)]
    turns = [one for place in range(EXAMPLES) for side in sides for one in side[place : place + 1]]
    return turns[:EXAMPLES]


def _trend(mine: Sequence[Saying], day: date) -> float | None:
    since = day - timedelta(RECENT_DAYS)
    parts = [[one for one in mine if (one.day > since) == now and one.polarity != NEUTRAL] for now in (True, False)]
    if min(len(part) for part in parts) < TREND_LEAST:
        return None
    now, then = (sum(one.polarity == POSITIVE for one in part) / len(part) for part in parts)
    return round(now - then, DIGITS)
