"""What goes with an item, surely, and what the models would complete consenting users' last baskets with."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import DataError
from pipeline.features import baskets
from pipeline.features.history import History
from pipeline.models import cart, open_baskets, recommendations
from pipeline.models.cart import Complements
from pipeline.models.order import Order, blocks
from pipeline.models.recommendations import Knowledge, Lists
from pipeline.settings import Night
from pipeline.stages import at_rest, desk, free_lists
from pipeline.stages.fine_tune_recommendations import open_cart, open_version, readable
from pipeline.stages.free_lists import WIDE, Free
from pipeline.stages.idle import among, idle
from pipeline.stages.ranked import Asked, everybody
from pipeline.stages.ranking_inputs import RankingInputs
from pipeline.warehouse.staging import Staging

COMPLEMENTS, CART, CHAMPION = "complements", "cart", "champion-cart"


def run(night: Night, _staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """Leave the complements, and free lists of users who have a basket to complete."""
    inputs = RankingInputs(night)
    rules, lines = night.shop.cart, inputs.lines
    parts = baskets.parts_of(lines)
    pairs = baskets.pairs(lines, night.day, max_basket=rules.max_basket, min_together=rules.min_together, parts=parts)
    ordered = pairs.order_by("item_id", "other_id").to_pyarrow()
    found = cart.complements(ordered, inputs.space, inputs.space.recommendable)
    desk.write(night, COMPLEMENTS, pa.table(vars(found)))
    progress(1, 3)
    history = inputs.history(night.day)
    empty = np.diff(open_baskets.last(history).indptr) == 0
    free_lists.keep(night, CART, _kept(_lists(inputs, history, found), history, empty))
    progress(2, 3)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    before = readable(night, desk.champion(night, "recommendations")) if serves else None
    other = before if before != serves else None
    champions = _idlers(inputs, history, other) if other else ()
    free_lists.keep(night, CHAMPION, _kept(champions, history, empty))
    progress(3, 3)
    return {"rows": {}}


def complements(night: Night) -> Complements:
    """What `run` found."""
    kept = desk.read(night, COMPLEMENTS)
    return Complements(*(kept.column(name).to_numpy() for name in kept.column_names))


def _kept(ranked: Iterable[Lists], history: History, empty: np.ndarray) -> Iterator[Free]:
    """Blocks without features; who has no basket has nothing to complete."""
    for lists in ranked:
        items = np.where(empty[lists.users][:, None], -1, lists.items)
        yield Free.of(replace(lists, items=items), history.users).bare()


def _lists(inputs: RankingInputs, history: History, found: Complements) -> Iterator[Lists]:
    """By the learned order, else by lift and habit."""
    night, listable = inputs.night, inputs.space.recommendable
    served = at_rest.awake(night, history.users)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    if serves and open_cart(night, serves):
        yield from _everybody(inputs, history, serves, served)
        return
    lifts, held = found.matrix(len(inputs.space.ids)), open_baskets.last(history)
    for block in blocks(served):
        items, scores = cart.complete(held[block], history, block, lifts, listable, WIDE)
        yield Lists(block, items, scores, np.zeros((*items.shape, 0), np.float32))


def _idlers(inputs: RankingInputs, history: History, version: str) -> Iterator[Lists]:
    """Blocks of all who are ranked, with lists by a kept version for idle users."""
    served = at_rest.awake(inputs.night, history.users)
    idlers = served[idle(inputs.night, history.users)[served]]
    return among(_everybody(inputs, history, version, idlers), served)


def _everybody(inputs: RankingInputs, history: History, version: str, users: np.ndarray) -> Iterator[Lists]:
    """Blocks of users by the learned order of a kept version; none where it learned none."""
    if open_cart(inputs.night, version):
        yield from everybody(inputs, history, Asked.of(inputs.night, version, opened, WIDE), users)


def opened(inputs: RankingInputs, history: History, version: str) -> tuple[Knowledge, Order]:
    """What completing reads, and the order that a version learned of it.

    Raises:
        DataError: it learned none.
    """
    night, order = inputs.night, open_cart(inputs.night, version)
    if not order:
        raise DataError(f"{version}: learned no order of carts; take one that has {CART}.json")
    model, words, texts, _order = open_version(night, inputs, version)
    columns = np.flatnonzero(inputs.space.recommendable & (history.buyers_recent > 0))
    length, threads = night.shop.recommender.history, night.shop.threads
    return open_baskets.knowledge(history, columns, model, words, texts, length, threads), order


def by_order(inputs: RankingInputs, history: History, version: str, users: np.ndarray) -> Iterator[Lists]:
    """The same of users of any day's history, in this process."""
    if open_cart(inputs.night, version):
        shop, (known, order) = inputs.night.shop, opened(inputs, history, version)
        yield from recommendations.rank_blocks(known, order, users, shop.recommender.candidates, WIDE, shop.threads)
