"""Who may be treated how: the consents of the users feed, default deny."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.feeds import partitions
from pipeline.privacy import consent
from pipeline.settings import Night
from pipeline.stages import desk


def users(night: Night, *flags: str) -> tuple[pa.Array, pa.Array]:
    """All user keys known by the business day, sorted, and those among them who granted every flag named."""
    rows = desk.landed(desk.connect(night), night, "users")
    if rows is None:
        none = pa.array([], pa.string())
        return none, none
    table = partitions.latest(rows, "user_key").select("user_key", *flags).order_by("user_key").to_pyarrow()
    allowed = pa.array([True] * len(table), pa.bool_())
    for flag in flags:
        allowed = pc.and_(allowed, consent.granted(table.column(flag), night.shop.consent_without_flags))
    keys = table.column("user_key").combine_chunks()
    return keys, keys.filter(allowed)
