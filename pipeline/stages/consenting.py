"""Who may be treated how: the consents of the users feed, default deny."""

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.feeds import partitions
from pipeline.privacy import consent
from pipeline.settings import Night
from pipeline.stages import desk


def users(night: Night, *flags: str) -> tuple[pa.Array, pa.Array]:
    """All user keys known by the business day, sorted, and those among them who granted every flag named.

    A user who has only acted, or whose shop hands over no users, has said nothing about consent.
    """
    connection = desk.connect(night)
    rows, events = desk.landed(connection, night, "users"), desk.landed(connection, night, "events")
    seen = [table.select("user_key") for table in (rows, events) if table is not None]
    everyone = ibis.union(*seen, distinct=True) if len(seen) > 1 else seen[0].distinct() if seen else None
    if everyone is None:
        none = pa.array([], pa.string())
        return none, none
    if rows is None:
        table = everyone.mutate(**{flag: ibis.null("boolean") for flag in flags})
    else:
        said = partitions.latest(rows, "user_key").select("user_key", *flags)
        table = everyone.left_join(said, "user_key").select("user_key", *flags)
    found = table.order_by("user_key").to_pyarrow()
    allowed = pa.array([True] * len(found), pa.bool_())
    for flag in flags:
        allowed = pc.and_(allowed, consent.granted(found.column(flag), night.shop.consent_without_flags))
    keys = found.column("user_key").combine_chunks()
    return keys, keys.filter(allowed)


def served(night: Night, known: pa.Array) -> np.ndarray:
    """Ascending places, among known users, of those who consent to a personalised shop."""
    _everyone, consent = users(night, "consent_personalisation")
    return np.flatnonzero(np.asarray(pc.is_in(known, consent)))
