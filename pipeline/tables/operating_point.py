"""The operating_point table: what each replayed setting of the balance gave, and which one serves tonight.

Not here: replaying and choosing (`pipeline.balance`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

POINT = ("calibration_weight", "distil_weight", "budget_idle", "budget_active", "pinned_idle")


def rows(
    replayed: Sequence[Mapping[str, Any]], chosen: Sequence[float], binding: Sequence[str], schema: pa.Schema
) -> pa.Table:
    """One row a point, by its values.

    Args:
        replayed: values by column of each replayed point, those of the choice left out.
        chosen: the values of the point that serves, in the order of POINT; it has a row even if it was not replayed.
        binding: the rules in the way of a calmer one.
        schema: of the table.
    """
    known = {tuple(row[name] for name in POINT): dict(row) for row in replayed}
    serving = known.setdefault(
        tuple(chosen), dict(zip(POINT, chosen, strict=True)) | {"is_front": False, "broken_bounds": []}
    )
    for row in known.values():
        row |= {"is_chosen": row is serving, "binding_rules": list(binding) if row is serving else []}
    return pa.Table.from_pylist([known[values] for values in sorted(known)], schema)
