"""The operating_point table: what each replayed setting of the balance gave, and which one serves tonight.

Not here: replaying and choosing (`pipeline.balance`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

POINT = ("calibration_weight", "distil_weight", "budget_idle", "budget_active", "pinned_idle")


def rows(points: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """One row a point, by its values.

    Args:
        points: values by column; what a point lacks is null.
        schema: of the table.
    """
    return pa.Table.from_pylist(sorted(points, key=lambda row: tuple(row[name] for name in POINT)), schema)
