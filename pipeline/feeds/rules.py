"""What a feed file says about its rows: how to prepare them and which reasons send a row to quarantine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from pipeline.contracts.feeds import Reason
from pipeline.engine import local_day

Rule = tuple[Reason, ir.BooleanValue]


@dataclass(frozen=True)
class Known:
    """What has arrived so far that rows may refer to (None where the shop has no such feed).

    Attributes:
        first_day: the shop's first arrival day.
        last_day: the last arrival day being landed.
        zone: the shop's time zone.
        priced: purchases carry what was paid.
        items: item_id, known_since, measured_since (null for goods sold by the piece).
        campaigns: campaign_id, known_since.
        sends: campaign_id, user_key pairs that were contacted.
    """

    first_day: date
    last_day: date
    zone: ZoneInfo
    priced: bool = True
    items: ir.Table | None = None
    campaigns: ir.Table | None = None
    sends: ir.Table | None = None


@dataclass(frozen=True)
class FeedRules:
    """The cleaning of one feed.

    Attributes:
        rules: reasons in order of precedence, each with the rows it concerns; rows may carry helper columns.
        prepare: joins what the rules need and mends units; must neither add nor drop rows.
        replaces: a later arrival of a key replaces the earlier one; otherwise it is a duplicate.
    """

    rules: Callable[[ir.Table, Known], list[Rule]]
    prepare: Callable[[ir.Table, Known], ir.Table] = lambda rows, _: rows
    replaces: bool = False


def absent(rows: ir.Table, *names: str) -> Rule:
    """A value that must be there is missing."""
    return Reason.MISSING_VALUE, ibis.or_(*(rows[name].isnull() for name in names))


def refers(rows: ir.Table, known: ir.Table, key: str) -> ir.Table:
    """Rows with a flag `{key}_known`: the referred key had arrived by the row's own arrival day."""
    arrived = known.select(key, known_since="known_since")
    joined = rows.left_join(arrived, key)
    return joined.mutate(**{f"{key}_known": (joined.known_since <= joined.ds).fill_null(False)}).drop(
        "known_since", f"{key}_right"
    )


def ahead(rows: ir.Table, known: Known) -> Rule:
    """It happened on a local day after the one on which it arrived."""
    return Reason.AFTER_BUSINESS_DAY, local_day(rows.ts, known.zone, known.first_day, known.last_day) > rows.ds
