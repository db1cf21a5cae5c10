"""The ad_experiments table: who was drawn to be contacted or held out, as of a campaign's first night.

Enrolled are users of both arms alike, whatever the guard against small differences made of the audience; nobody joins
later, as who is still there later depends on what contacts did.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.tables import AD_EXPERIMENTS


@dataclass(frozen=True)
class Enrolment:
    """One campaign on its first night: user keys, and who of them is held out, [N]."""

    campaign: str
    users: pa.Array
    holdout: np.ndarray


def rows(
    last: pa.Table,
    keep: Collection[str],
    consenting: pa.Array,
    new: Sequence[Enrolment],
    *,
    holdout_share: float,
    day: date,
) -> pa.Table:
    """Rows of the table.

    Args:
        last: those of the night before.
        keep: campaigns whose enrolments may still tell something.
        consenting: keys of users who agree to ads; what was drawn of others is forgotten.
        new: campaigns of which nobody was enrolled yet.
        holdout_share: share held out by the draw.
        day: the business day.
    """
    stays = pc.and_(
        pc.is_in(last.column("campaign_id"), pa.array(sorted(keep), pa.string())),
        pc.is_in(last.column("user_key"), consenting),
    )
    parts = [last.select(AD_EXPERIMENTS.names).filter(stays)]
    for one in new:
        count = len(one.users)
        columns = [
            pa.array([one.campaign] * count, pa.string()),
            one.users,
            pa.array(one.holdout, pa.bool_()),
            pa.array(np.full(count, 1 - holdout_share)),
            pa.array([day] * count, pa.date32()),
        ]
        parts.append(pa.table(columns, AD_EXPERIMENTS.names))
    return pa.concat_tables(part.cast(AD_EXPERIMENTS.schema) for part in parts)
