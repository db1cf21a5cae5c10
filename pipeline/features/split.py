"""Time cuts of a night. Everything that learns or is judged takes its dates from here."""

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir

from pipeline.errors import NoData


@dataclass(frozen=True)
class Split:
    """The dates of one night; each part reads only what had happened by its own cut.

    Attributes:
        day: business day; lists are scored from all that is known by its end.
        tune_end: last day before the judged week (tune_end, day].
        fit_end: last day before the week (fit_end, tune_end] on which fusion weights are learned; neural weights and
            counts that judge see nothing later.
    """

    day: date
    tune_end: date
    fit_end: date


def split(day: date, holdout_days: int, first_day: date, min_history_days: int) -> Split:
    """The cuts for a business day.

    Raises:
        NoData: fewer days of history than the shop asks for.
    """
    history = (day - first_day).days + 1
    if history < min_history_days:
        raise NoData(
            f"{day}: {history} days of history, the shop asks for {min_history_days} (min_history_days); "
            f"choose {first_day + timedelta(min_history_days - 1)} or later"
        )
    step = timedelta(holdout_days)
    return Split(day, day - step, day - 2 * step)


def known_by(rows: ir.Table, as_of: date) -> ir.Table:
    """Rows of days up to and with one."""
    return rows.filter(rows.ds <= ibis.literal(as_of))


def between(rows: ir.Table, after: date, upto: date) -> ir.Table:
    """Rows of the days after one and up to another."""
    return rows.filter((rows.ds > ibis.literal(after)) & (rows.ds <= ibis.literal(upto)))
