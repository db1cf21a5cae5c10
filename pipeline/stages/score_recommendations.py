"""Rank what users may take next by the model that judge chose, and idle users also by last night's champion."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.features.history import History
from pipeline.models import recommendations
from pipeline.models.order import Order, blocks
from pipeline.models.recommendations import Knowledge, Lists
from pipeline.settings import Night
from pipeline.stages import at_rest, desk, free_lists
from pipeline.stages.fine_tune_recommendations import open_version, readable
from pipeline.stages.free_lists import Free
from pipeline.stages.idle import among, idle
from pipeline.stages.ranked import Asked, everybody
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.warehouse.staging import Staging

LONG = 200  # places ranked: surfaces leave items out, and a list kept from last night is looked up among them
TONIGHT, CHAMPION = "recommendations", "champion"


def run(night: Night, _staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Free lists of consenting users with history, but for those at rest; what is popular, if no model is better."""
    inputs = RankingInputs(night)
    history = inputs.history(night.day)
    served = at_rest.awake(night, history.users)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    if not serves:
        users = (history.users.take(pa.array(block)) for block in blocks(served))
        best = (free_lists.popular(history, inputs.space.recommendable, some, LONG) for some in users)
        free_lists.keep(night, TONIGHT, best)
        free_lists.keep(night, CHAMPION, [])
        return {"rows": {}, "fallback": "judge found no model better than the baseline"}
    tonight = ranked(inputs, history, serves, served, progress)
    free_lists.keep(night, TONIGHT, (Free.of(lists, history.users) for lists in tonight))
    before = readable(night, desk.champion(night, "recommendations"))
    idlers = served[idle(night, history.users)[served]] if before not in (None, serves) else served[:0]
    champions = among(ranked(inputs, history, str(before), idlers, progress), served) if len(idlers) else ()
    free_lists.keep(night, CHAMPION, (Free.of(lists, history.users).bare() for lists in champions))
    return {"rows": {}}


def ranked(
    inputs: RankingInputs, history: History, version: str, users: np.ndarray, progress: desk.Progress
) -> Iterator[Lists]:
    """Blocks of users (places in tonight's history) ranked by a kept version on tonight's data."""
    for lists in everybody(inputs, history, Asked.of(inputs.night, version, opened, LONG), users):
        yield lists
        progress(int(np.searchsorted(users, lists.users[-1])) + 1, len(users))


def opened(inputs: RankingInputs, history: History, version: str) -> tuple[Knowledge, Order]:
    """What a version ranks by, among what may be listed tonight."""
    model, rows, texts, order = open_version(inputs.night, inputs, version)
    known = inputs.counted(history, texts, listed_tonight=True)
    return known.reading(model, rows, texts, inputs.night.shop.recommender.history), order


def by_order(
    inputs: RankingInputs, history: History, version: str, users: np.ndarray, other: Order | None = None
) -> Iterator[Lists]:
    """Blocks of users (places in a history) ranked among what may be listed tonight.

    Args:
        inputs: of the night.
        history: what is known of users.
        version: of the model.
        users: int [B] places, ascending.
        other: another order than the version's own.
    """
    shop, (known, order) = inputs.night.shop, opened(inputs, history, version)
    yield from recommendations.rank_blocks(
        known, other or order, users, shop.recommender.candidates, LONG, shop.threads
    )
