"""The page_layouts table: which module stands in which slot of each page, since when and why."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.pages import MODULES


def rows(
    users: pa.Array,
    surface: Sequence[str],
    slot: np.ndarray,
    module: np.ndarray,
    *,
    default: np.ndarray,
    anchor: np.ndarray,
    value: np.ndarray,
    source: np.ndarray,
    since: np.ndarray,
    cause: np.ndarray,
    moved: np.ndarray,
    today: int,
    week: int,
) -> pa.Table:
    """Rows of the table: U users, T slots of all pages one after another; days are ordinals.

    Args:
        users: user keys.
        surface: T names of the slots' pages.
        slot: int [T] numbers on their pages.
        module: int [U, T].
        default: int [U, T] slots where the modules stand by default, 0 for none.
        anchor: bool [T].
        value: float [U, T]; nan where none was learned.
        source: str [U] where the values are from.
        since: int [U, T] the day the module came to stand there.
        cause: str [U, T].
        moved: int [U] the day of the user's last move by choice, at any time before the first year for none.
        today: the business day.
        week: days in which moves are counted.
    """
    count, slots = module.shape
    ever = moved > 0

    def each(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, slots)

    return pa.table(
        {
            "user_key": users.take(pa.array(each(np.arange(count)))),
            "surface": pa.array(np.tile(np.array(surface, dtype=object), count), pa.string()),
            "slot": pa.array(np.tile(slot, count), pa.int32()),
            "module": pa.array(MODULES, pa.string()).take(pa.array(module.ravel())),
            "default_slot": pa.array(default.ravel(), pa.int32(), mask=default.ravel() == 0),
            "is_anchor": pa.array(np.tile(anchor, count)),
            "value": pa.array(value.ravel(), pa.float64(), from_pandas=True),
            "value_source": pa.array(each(source), pa.string()),
            "kept_since": _days(since.ravel(), np.ones(count * slots, bool)),
            "change_cause": pa.array(cause.ravel(), pa.string()),
            "moves_7d": pa.array(each((ever & (today - moved < week)).astype(np.int64)), pa.int64()),
            "moved_on": _days(each(moved), each(ever)),
        }
    )


def seen(
    last: pa.Table, users: pa.Array, surface: Sequence[str], slot: np.ndarray, never: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What users saw the night before, from that night's rows: module int [U, T] (-1 none), since [U, T], moved [U].

    Args:
        last: rows of the night before.
        users: user keys.
        surface: T names of the slots' pages.
        slot: int [T] numbers on their pages.
        never: stands for no day.
    """
    at = {place: number for number, place in enumerate(zip(surface, slot.tolist(), strict=True))}
    places = zip(last.column("surface").to_pylist(), last.column("slot").to_pylist(), strict=True)
    column = np.array([at.get(place, -1) for place in places], np.int64)
    row = np.asarray(pc.fill_null(pc.index_in(last.column("user_key"), users), -1)).astype(np.int64)
    kept = (row >= 0) & (column >= 0)
    module, since = np.full((len(users), len(surface)), -1), np.full((len(users), len(surface)), never)
    moved = np.full(len(users), never)
    named = np.asarray(pc.fill_null(pc.index_in(last.column("module"), pa.array(MODULES)), -1))
    module[row[kept], column[kept]] = named[kept]
    since[row[kept], column[kept]] = _ordinals(last.column("kept_since"), never)[kept]
    moved[row[row >= 0]] = _ordinals(last.column("moved_on"), never)[row >= 0]
    return module, since, moved


EPOCH = date(1970, 1, 1).toordinal()


def _days(ordinals: np.ndarray, told: np.ndarray) -> pa.Array:
    return pa.array((ordinals - EPOCH).astype(np.int32), pa.int32(), mask=~told).cast(pa.date32())


def _ordinals(days: pa.ChunkedArray, never: int) -> np.ndarray:
    numbers = pc.fill_null(days.cast(pa.int32()).cast(pa.int64()), never - EPOCH)
    return np.asarray(numbers) + EPOCH
