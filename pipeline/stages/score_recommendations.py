"""Stage the recommendations table from the model that judge chose, or from the baseline."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import explain
from pipeline.contracts.tables import RECOMMENDATIONS
from pipeline.models import baselines, recommendations
from pipeline.models.order import blocks
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.fine_tune_recommendations import open_version
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.tables import recommendations as table
from pipeline.warehouse.staging import Staging

LONG = 200  # places ranked, so that e-mail can leave out what rests


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Fused lists for consenting users with history; popular items, marked as fallback, for everybody else."""
    inputs, settings = RankingInputs(night), night.shop.recommender
    everyone, consenting_users = consenting.users(night, "consent_personalisation")
    history = inputs.history(inputs.cut.day)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    parts, facts = [], {}
    personal = pa.array([], pa.string())
    if serves:
        titles = inputs.catalogue.column("title").to_pylist()
        shelves = explain.shelf_names(inputs.catalogue.column("category"))
        model, rows, texts, order = open_version(night, inputs, serves)
        counted = inputs.counted(history, texts, listed_tonight=True)
        known = counted.reading(model, rows, texts, settings.history)
        words = explain.Words(known, order, titles, shelves)
        served = np.flatnonzero(np.asarray(pc.is_in(history.users, consenting_users)))
        personal = history.users.take(pa.array(served))
        for block in blocks(served):
            lists = recommendations.rank(known, order, block, settings.candidates, LONG)
            parts.append(table.fused_rows(lists, words, inputs.space.ids, settings))
            progress(int(np.searchsorted(served, block[-1])) + 1, len(served))
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
