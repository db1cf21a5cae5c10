"""Stage the cart_recommendations table."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.contracts.tables import CART_RECOMMENDATIONS
from pipeline.features import baskets
from pipeline.features.history import History
from pipeline.models import cart, open_baskets, recommendations
from pipeline.models.order import Order, blocks
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.fine_tune_recommendations import open_cart, open_version
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.tables import cart as table
from pipeline.warehouse.staging import Staging


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Complements of every item with enough joint baskets, and what completes consenting users' last baskets."""
    inputs, settings = RankingInputs(night), night.shop.cart
    space, listable = inputs.space, inputs.space.recommendable
    titles = inputs.catalogue.column("title").to_pylist()
    pairs = baskets.pairs(inputs.lines, night.day, max_basket=settings.max_basket, min_together=settings.min_together)
    found = cart.complements(pairs.order_by("item_id", "other_id").to_pyarrow(), space, listable)
    progress(1, 3)
    by_item = table.item_rows(found, cart.best_for_items(found, settings.list_size), space.ids, titles)
    history = inputs.history(night.day)
    _everyone, allowed = consenting.users(night, "consent_personalisation")
    users = history.users.filter(pc.is_in(history.users, allowed))
    held = _last_baskets(inputs, users)
    rows = np.asarray(pc.index_in(users, history.users))
    progress(2, 3)
    lifts, serves = found.matrix(len(space.ids)), desk.noted(night, "judgement")["recommendations"]["serves"]
    order = open_cart(night, serves) if serves else None
    if order:
        items, scores = _ranked(inputs, history, rows, serves, order)
        items[np.diff(held.indptr) == 0] = -1  # no basket, nothing to complete
    else:
        items, scores = cart.complete(held, history, rows, lifts, listable, settings.list_size)
    leads = cart.leads(held, items, lifts)
    often = np.asarray(history.weight[np.repeat(rows, items.shape[1]), np.maximum(items, 0).ravel()] > 0)
    by_basket = table.basket_rows(users, items, scores, leads, often.reshape(items.shape), space.ids, titles)
    file = staging.write(CART_RECOMMENDATIONS, pa.concat_tables([by_item, by_basket]))
    progress(3, 3)
    return {"rows": {file.name: file.rows}}


def _ranked(
    inputs: RankingInputs, history: History, rows: np.ndarray, version: str, order: Order
) -> tuple[np.ndarray, np.ndarray]:
    """What completes the last baskets of some users (places in the history), by the learned order: items, scores."""
    model, words, texts, _order = open_version(inputs.night, inputs, version)
    columns = np.flatnonzero(inputs.space.recommendable & (history.buyers_recent > 0))
    shop = inputs.night.shop
    known = open_baskets.knowledge(history, columns, model, words, texts, shop.recommender.history)
    parts = [
        recommendations.rank(known, order, block, shop.recommender.candidates, shop.cart.list_size)
        for block in blocks(rows)
    ]
    size = (0, shop.cart.list_size)
    items = np.concatenate([np.zeros(size, np.int64), *(part.items for part in parts)])
    return items, np.concatenate([np.zeros(size), *(part.scores for part in parts)])


def _last_baskets(inputs: RankingInputs, users: pa.Array) -> sp.csr_matrix:
    last = baskets.last_baskets(inputs.lines, inputs.night.day).order_by("user_key", "item_id").to_pyarrow()
    user = np.asarray(pc.fill_null(pc.index_in(last.column("user_key"), users), -1))
    item = inputs.space.index(last.column("item_id"))
    kept = (user >= 0) & (item >= 0)
    return sp.csr_matrix(
        (np.ones(int(kept.sum()), bool), (user[kept], item[kept])), shape=(len(users), len(inputs.space.ids))
    )
