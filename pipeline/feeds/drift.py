"""Holding an arrival's columns and types to the contract, by the feed's drift verdict."""

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from pipeline.contracts.feeds import Feed
from pipeline.contracts.table import Drift
from pipeline.errors import DataError

BAD_TYPE = "bad_type"
WHOLE = r"^[+-]?[0-9]+(\.0*)?$"
BESIDE = ("ds", "origin", "misread")  # what an adapter says of a row, beside the contract's columns


def conform(rows: ir.Table, feed: Feed, *, text: bool = False) -> tuple[ir.Table, list[str]]:
    """Give rows exactly the contract's columns and types, plus what stands beside them and a flag `bad_type`.

    Args:
        rows: as they came.
        feed: whose contract to hold them to.
        text: they came from text files, where a string is the form of every type and no drift.

    Returns:
        The rows, and a note for each difference that was tolerated.

    Raises:
        DataError: the contract freezes its columns and they differ, or a column that must be there is gone.
    """
    contract = feed.raw
    wanted = {field.name: dt.dtype(field.type) for field in contract.schema}
    have = dict(rows.schema().items())
    missing = [name for name in wanted if name not in have]
    extra = sorted(set(have) - set(wanted) - set(BESIDE))
    frozen = contract.drift is Drift.FREEZE
    gone = [name for name in missing if (frozen or name in contract.never_null) and name not in feed.defaults]
    if gone or (frozen and extra):
        what = f"column {', '.join(gone)} is missing" if gone else f"column {', '.join(extra)} is not in the contract"
        raise DataError(
            f"feed {contract.name}: {what} (drift verdict: {contract.drift}); mend the drop or change the contract"
        )
    columns: dict[str, ir.Value] = {}
    misfits: list[ir.BooleanValue] = []
    notes = [f"{contract.name}.{name}: missing, read as null" for name in missing if name not in feed.defaults]
    notes += [f"{contract.name}.{name}: not in the contract, left aside" for name in extra]
    for name, kind in wanted.items():
        if name in missing:
            columns[name] = ibis.null(kind)
        elif have[name].copy(nullable=True) == kind.copy(nullable=True):
            columns[name] = rows[name]
        else:
            carried = text and have[name].is_string()
            if not carried:
                notes.append(f"{contract.name}.{name}: came as {have[name]}, read as {kind}")
            if frozen and not carried:
                raise DataError(
                    f"feed {contract.name}: column {name} is {have[name]}, the contract says {kind} "
                    f"(drift verdict: {contract.drift}); mend the drop or change the contract"
                )
            columns[name] = _read(rows[name], kind.copy(nullable=True))
            misfits.append(rows[name].notnull() & columns[name].isnull())
    for name, value in feed.defaults.items():
        columns[name] = columns[name].fill_null(value)
    bad = ibis.or_(*misfits) if misfits and contract.drift is not Drift.DISCARD_VALUE else ibis.literal(False)
    beside = {name: rows[name] if name in have else ibis.null("string") for name in BESIDE}
    return rows.select(**columns, **beside, **{BAD_TYPE: bad}), notes


def _read(value: ir.Value, kind: dt.DataType) -> ir.Value:
    """A value as the contract's type; null where it is none, never rounded: 3.99 is no whole number of cents."""
    have = value.type()
    if have.is_string() and kind.is_array():
        return value.try_cast("json").try_cast(kind)
    read = value.try_cast(kind)
    if have.is_string() and kind.is_integer():
        return ibis.ifelse(value.strip().re_search(WHOLE), read, ibis.null(kind))
    if have.is_numeric() and kind.is_numeric():
        return ibis.ifelse(read == value, read, ibis.null(kind))
    return read
