"""What stands behind user_profiles: segments and bands that are left less easily than entered, cuts that move slowly.

Both lean on what was published the night before. Not here: the axes of vectors (`axes`), and the table's rows and words
(`tables.profiles`).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEGMENTS = {
    "new": "New shopper",
    "lapsed": "Has not shopped for two months",
    "slipping": "Shops later than usual",
    "loyal": "Shops often",
    "occasional": "Shops now and then",
    "regular": "Regular shopper",
}
FREQUENCIES = ("occasional", "regular", "loyal")
BANDS = ("value", "middle", "premium")
NEW_DAYS, LAPSED_DAYS, SLIPPING_DAYS, SLIPPING_RHYTHMS = 28, 60, 14.0, 3
QUANTILES = (1 / 3, 2 / 5, 3 / 5, 2 / 3)  # low: entered up to, left above; high: left below, entered from
STEP = 0.01  # of a cut, and at least so much: what it moves in a night at most
FLAP_DAYS = 7


@dataclass(frozen=True)
class LastNight:
    """The profiles published the night before, and who has done nothing since.

    Attributes:
        rows: columns of the table by user; none on a first night.
        idle: users of those rows of whom no event arrived since.
    """

    rows: Mapping[str, Mapping[str, Any]]
    idle: Set[str]


def quantile_cuts(values: ArrayLike, gap: float = 0.0) -> NDArray[np.float64]:
    """The four cuts of tonight's values, in the order of `QUANTILES`; the inner two at least a gap inside the outer.

    Args:
        values: float [U], not empty.
        gap: what a value must move, at least, to come back from where it went.
    """
    low_in, low_out, high_out, high_in = np.quantile(np.asarray(values, float), QUANTILES)
    return np.array([low_in, max(low_out, low_in + gap), min(high_out, high_in - gap), high_in]).round(4)


def moved(before: ArrayLike | None, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Last night's cuts, at most a step nearer to tonight's; tonight's where there were none. Their order stays."""
    if before is None:
        return target
    last = np.asarray(before, float)
    step = np.maximum(STEP * np.abs(last), STEP)
    return np.clip(target, last - step, last + step).round(4)


def level(value: float, last: int, cuts: Sequence[float]) -> int:
    """Low (0), middle (1) or high (2): entered beyond the outer cuts, left only inside the inner ones.

    Args:
        value: of a user.
        last: the user's level last night; 1 for who had none.
        cuts: as `quantile_cuts` gives them.
    """
    low_in, low_out, high_out, high_in = cuts
    if value >= high_in or (last == 2 and value >= high_out):
        return 2
    return 0 if value <= low_in or (last == 0 and value <= low_out) else 1


def segment(visit: Mapping[str, Any], last: str | None, cuts: Sequence[float]) -> str:
    """Segment code of a user: what they do now against their own rhythm and against others.

    Args:
        visit: first_days, recency_days, rhythm_days, baskets_90d.
        last: the user's segment last night.
        cuts: of baskets_90d.
    """
    if visit["first_days"] < NEW_DAYS:
        return "new"
    if visit["recency_days"] > LAPSED_DAYS:
        return "lapsed"
    if visit["rhythm_days"] and visit["recency_days"] > max(SLIPPING_DAYS, SLIPPING_RHYTHMS * visit["rhythm_days"]):
        return "slipping"
    place = FREQUENCIES.index(last) if last in FREQUENCIES else 1
    return FREQUENCIES[level(visit["baskets_90d"], place, cuts)]


@dataclass(frozen=True)
class Standing:
    """A user's segment and how it came about; the columns of the table that are called so."""

    segment: str
    segment_since: date
    segment_before: str | None
    segment_cause: str


def standing(
    visit: Mapping[str, Any], last: Mapping[str, Any] | None, *, is_idle: bool, cuts: Sequence[float], day: date
) -> Standing:
    """Tonight's segment of a user, by the user's own numbers alone: where these stand still, so does the segment.

    Args:
        visit: the user's numbers tonight.
        last: the user's row of last night; None for who had none.
        is_idle: no event of the user arrived since.
        cuts: of baskets_90d.
        day: the business day.
    """
    if last is None:
        return Standing(segment(visit, None, cuts), day, None, "first_night")
    was = last["segment"]
    code = segment(visit, was, cuts)
    if code in FREQUENCIES and was in FREQUENCIES and visit["baskets_90d"] == last["baskets_90d"]:
        code = was  # only the cuts can have moved
    if code == was:
        return Standing(code, last["segment_since"], last["segment_before"], "kept")
    return Standing(code, day, was, "time" if is_idle else "user")


def band(
    value: float | None, last: Mapping[str, Any] | None, *, is_idle: bool, cuts: Sequence[float]
) -> tuple[str, float | None]:
    """Price band and the level it rests on: judged when the user shops, and both kept until then.

    Args:
        value: tonight's price level of the user; None where nothing priced was bought.
        last: the user's row of last night; None for who had none.
        is_idle: no event of the user arrived since.
        cuts: of price levels; empty where nobody has one.
    """
    if last is not None and is_idle:
        return last["price_band"], last["price_level"]
    if value is None:
        return (last["price_band"] if last else BANDS[1]), None
    return BANDS[level(value, BANDS.index(last["price_band"]) if last else 1, cuts)], value


def is_flap(row: Mapping[str, Any], last: Mapping[str, Any], day: date) -> bool:
    """Whether a user came back tonight to the segment they had left within a week.

    Args:
        row: the user's row tonight.
        last: the user's row last night.
        day: the business day.
    """
    returned = row["segment"] != last["segment"] and row["segment"] == last["segment_before"]
    return bool(returned and day - last["segment_since"] <= timedelta(FLAP_DAYS))
