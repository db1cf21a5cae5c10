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
        fit_end: last day before the weeks (fit_end, tune_end] that teach the order of candidates; neural weights see
            nothing later.
        step: days of a week, as the shop counts them.
    """

    day: date
    tune_end: date
    fit_end: date
    step: timedelta

    @property
    def lessons(self) -> list[tuple[date, date]]:
        """The weeks that teach, newest first: the last day known before each, and its own last day."""
        count = (self.tune_end - self.fit_end) // self.step
        ends = [self.tune_end - lesson * self.step for lesson in range(count)]
        return [(end - self.step, end) for end in ends]


def split(day: date, holdout_days: int, first_day: date, min_history_days: int, lessons: int = 1) -> Split:
    """The cuts for a business day.

    Args:
        day: business day.
        holdout_days: days of a week, as the shop counts them.
        first_day: of the shop's data.
        min_history_days: fewer are not enough.
        lessons: weeks that teach the order of candidates.

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
    return Split(day, day - step, day - (1 + lessons) * step, step)


def known_by(rows: ir.Table, as_of: date) -> ir.Table:
    """Rows of days up to and with one."""
    return rows.filter(rows.ds <= ibis.literal(as_of))


def between(rows: ir.Table, after: date, upto: date) -> ir.Table:
    """Rows of the days after one and up to another."""
    return rows.filter((rows.ds > ibis.literal(after)) & (rows.ds <= ibis.literal(upto)))
