"""Consent, default deny: only a flag that says yes is a yes.

A shop whose feed has no flags leaves nulls. They count as no, unless the shop's settings say
`consent_without_flags: granted`, which settings allow to the demo profile alone. A no is a no under every setting.
"""

from typing import Any, Literal

import pyarrow as pa

from pipeline.errors import DataError


def granted(
    flags: "pa.Array[Any] | pa.ChunkedArray[Any]", without_flags: Literal["denied", "granted"]
) -> "pa.Array[Any]":
    """Who agreed.

    Args:
        flags: one consent flag a user [n]; a column that is all null may be untyped.
        without_flags: what a null means in this shop; anything but "granted" denies.

    Returns:
        Booleans [n] without nulls.

    Raises:
        DataError: the flags are not booleans.
    """
    if isinstance(flags, pa.ChunkedArray):
        flags = flags.combine_chunks()
    if not (pa.types.is_boolean(flags.type) or pa.types.is_null(flags.type)):
        raise DataError(f"consent: flags are {flags.type}, not true or false; ingest them as booleans")
    return flags.cast(pa.bool_()).fill_null(without_flags == "granted")
