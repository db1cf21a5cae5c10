"""How much has come since a model was last taught, which a night asks before it teaches again.

Not here: whether what is not taught again still is good (`stages.judge`).
"""

from datetime import date
from math import inf

from ibis import _

from pipeline.learning import lineage
from pipeline.settings import Night
from pipeline.stages import desk


def share(night: Night, model: str) -> float:
    """Purchases that came since a model was taught, beside those known then; infinite where all is to be learned anew.

    That is where it was never taught, and where the shop's settings have changed since last night. Only nights up to
    the last published one count, so that a night that is run again decides as it did.
    """
    before = desk.parent(night)
    if before is None or before.manifest.policy_hash != night.shop.policy_hash:
        return inf
    days = [one.day for name, one in lineage.known(night.models).items() if name.startswith(f"{model}/")]
    taught = max((day for day in days if day <= before.manifest.day), default=date.min)
    rows = desk.lines(night, desk.connect(night)).group_by("ds").agg(count=_.count()).to_pyarrow().to_pylist()
    known = sum(row["count"] for row in rows if row["ds"] <= taught)
    came = sum(row["count"] for row in rows) - known
    return came / known if known else inf
