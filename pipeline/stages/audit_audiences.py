"""Opening what the audit of audiences reads, and refusing the night where their promise does not hold."""

from collections.abc import Mapping

import pyarrow as pa

from pipeline.audit import audiences
from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.errors import Refused
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.score_audiences import CONSENTS, holdout_salt


def require(night: Night, frames: Mapping[str, pa.Table]) -> None:
    """Let the night go on only if its staged audiences keep their promise.

    Raises:
        Refused: an audience is too small, tells of a few people, holds who did not agree, or its draw was changed.
    """
    before = desk.parent(night)
    settings = night.shop.audiences
    found = audiences.breaches(
        frames[AD_AUDIENCES.name],
        frames[AD_AUDIENCE_SUMMARY.name],
        before.table(AD_AUDIENCES.name) if before and AD_AUDIENCES.name in before.manifest.tables else None,
        consenting.users(night, *CONSENTS)[1].to_pylist(),
        min_size=settings.min_size,
        holdout_share=settings.holdout_share,
        salt=holdout_salt(night),
    )
    if found:
        raise Refused(f"audit refused {len(found)}: {'; '.join(found)}. Run the night again from score")
