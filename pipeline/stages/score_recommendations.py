"""Stage the recommendations table from the model that judge chose, or from the baseline."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import explain
from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.models import baselines, recommendations
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.fine_tune_recommendations import open_version
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.tables import recommendations as table
from pipeline.warehouse.staging import Staging


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Fused lists for consenting users with history; popular items, marked as fallback, for everybody else."""
    inputs, settings = RankingInputs(night), night.shop.recommender
    everyone, consenting_users = consenting.users(night, "consent_personalisation")
    history = inputs.history(inputs.cut.day, settings.history)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    parts, facts = [], {}
    personal = pa.array([], pa.string())
    if serves:
        titles = inputs.catalogue.column("title").to_pylist()
        shelves = explain.shelf_names(inputs.catalogue.column("category"))
        model, rows, texts, fusion = open_version(night, inputs, serves)
        known = inputs.knowledge(model, rows, texts, history, listed_tonight=True)
        lists = recommendations.rank(known, fusion, settings.candidates, settings.candidates, progress)
        fused = table.fused_rows(
            lists,
            fusion,
            known,
            inputs.space.ids,
            titles,
            shelves,
            home_size=settings.list_size,
            email_size=settings.email_size,
            rest_days=settings.email_rest_days,
        )
        personal = history.users.filter(pc.is_in(history.users, consenting_users))
        parts.append(fused.filter(pc.is_in(fused.column("user_key"), personal)))
    else:
        facts["fallback"] = "judge found no model better than the baseline"
    others = everyone.filter(pc.invert(pc.is_in(everyone, personal)))
    popular = np.flatnonzero(inputs.space.recommendable & (history.buyers_recent > 0))
    best = popular[baselines.top(history.buyers_recent[popular][None, :], settings.list_size)]
    ranked = np.repeat(best, len(others), axis=0)
    parts.append(
        table.fallback_rows(
            others, ranked, history, inputs.space.ids, home_size=settings.list_size, email_size=settings.email_size
        )
    )
    file = staging.write(RECOMMENDATIONS, pa.concat_tables(parts))
    return {"rows": {file.name: file.rows}, **facts}
