"""Users at rest: idle ones whose lists of last night stand, up to `policy.rest_nights` nights in a row.

No model is asked about them, as nothing has happened that it could read of them: what a night costs then grows with who
acted. New models and others' purchases reach them when their rest is over. Not here: what of a standing list may not be
shown any more, and what takes its place (`stages.standing`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from pipeline.contracts.tables import EXPERIENCE, RECOMMENDATIONS
from pipeline.settings import Night
from pipeline.stages import consenting, desk

NAME, AD = "at-rest", "ad"
NOBODY = pa.array([], pa.string())


def decide(night: Night, serves: str | None) -> int:
    """Note who is at rest tonight, before anybody is ranked; how many they are.

    At rest is who did nothing since last night's lists, still consents to what they are made of, and had lists that a
    model made under tonight's settings and of which one has changed in the last `rest_nights` nights.

    Args:
        night: whose.
        serves: version of the model that ranks tonight; without one nobody is at rest.
    """
    found = _found(night) if serves else NOBODY
    desk.write(night, NAME, pa.table({"user_key": found}))
    return len(found)


def users(night: Night, known: pa.Array) -> pa.Array:
    """Who is at rest of those known, ascending."""
    resting = desk.read(night, NAME).column("user_key").combine_chunks()
    return resting.filter(pc.is_in(resting, known))


def awake(night: Night, known: pa.Array) -> np.ndarray:
    """Ascending places, among known users, of those whom a model ranks tonight."""
    served = consenting.served(night, known)
    resting = np.asarray(pc.is_in(known, users(night, known)))
    return served[~resting[served]]


def _found(night: Night) -> pa.Array:
    before, most = desk.parent(night), night.shop.policy.rest_nights
    if not most or before is None or before.manifest.policy_hash != night.shop.policy_hash:
        return NOBODY
    connection = desk.connect(night)
    measured, listed = (connection.read_parquet(before.path(table.name)) for table in (EXPERIENCE, RECOMMENDATIONS))
    stood = measured.group_by("user_key").agg(nights=_.unchanged_nights.min(), ads=(_.surface == AD).any())
    common = listed.filter(_.is_fallback).select("user_key").distinct()
    asked = stood.filter(_.nights < most).anti_join(common, "user_key").order_by("user_key").to_pyarrow()
    keys = asked.column("user_key").combine_chunks()
    personal, ads = (
        pc.is_in(keys, consenting.users(night, "consent_personalisation", *also)[1])
        for also in ((), ("consent_ad_personalization",))
    )
    active = pc.is_in(keys, desk.active_since(night, before.manifest.day))
    same = pc.and_(personal, pc.equal(ads, asked.column("ads").combine_chunks()))
    return keys.filter(pc.and_not(same, active))
