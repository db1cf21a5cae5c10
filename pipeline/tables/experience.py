"""The experience table: how consistent and how personal each list is; and what the next night needs of it."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import EXPERIENCE, STATES

NIGHTS = 7


def rows(surface: str, users: pa.Array, state: np.ndarray, measured: Mapping[str, np.ndarray]) -> pa.Table:
    """Rows of one surface, in the order of users.

    Args:
        surface: its name.
        users: user keys [u].
        state: int8 [u] place in STATES.
        measured: by column, [u]; `voluntary_by_night` is [u, 7], oldest first, and its sum and the last night's count
            come from it; nan stands for null.
    """
    by_night = np.ascontiguousarray(measured["voluntary_by_night"], np.int64)
    ends = np.arange(len(users) + 1, dtype=np.int32) * by_night.shape[1]
    known = {
        "user_key": users,
        "surface": pa.array([surface] * len(users), pa.string()),
        "state": pa.array(STATES).take(pa.array(state)),
        "voluntary_by_night": pa.ListArray.from_arrays(ends, by_night.ravel()),
        "voluntary_7d": by_night.sum(axis=1),
        "voluntary": by_night[:, -1] if len(users) else np.zeros(0, np.int64),
    }
    return pa.table({field.name: _column(known, measured, field) for field in EXPERIENCE.schema})


def carried(last: pa.Table | None, surface: str, users: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """What the night before leaves to count on with: zeros for users whom it did not know on this surface.

    Args:
        last: last night's rows of all surfaces; None when there are none.
        surface: its name.
        users: user keys [u].

    Returns:
        int [u, 6] voluntary replacements of the six nights before tonight, oldest first; int [u] nights in a row, up to
        the last, that left the list as it was.
    """
    spent, unchanged = np.zeros((len(users), NIGHTS - 1), np.int64), np.zeros(len(users), np.int64)
    if last is None:
        return spent, unchanged
    mine = last.filter(pc.equal(last.column("surface"), surface)).combine_chunks()
    place = np.asarray(pc.fill_null(pc.index_in(users, mine.column("user_key")), -1))
    by_night = mine.column("voluntary_by_night").combine_chunks().flatten().to_numpy().reshape(len(mine), NIGHTS)
    spent[place >= 0] = by_night[place[place >= 0], 1:]
    unchanged[place >= 0] = mine.column("unchanged_nights").to_numpy()[place[place >= 0]]
    return spent, unchanged


def _column(known: Mapping[str, object], measured: Mapping[str, np.ndarray], field: pa.Field) -> object:
    if field.name in known:
        return known[field.name]
    values = measured[field.name]
    if pa.types.is_floating(field.type):
        return pa.array(np.round(values, 6), field.type, from_pandas=True)
    return pa.array(values, field.type)
