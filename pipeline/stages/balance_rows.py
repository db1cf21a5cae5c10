"""Rows of the tables that the balance makes, block by block of users: lists, experience, ledger."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.balance import coherence, experience, ledger
from pipeline.balance.surface import KEPT
from pipeline.balance.surfaces import at
from pipeline.contracts.tables import CART_RECOMMENDATIONS, CAUSES, CHANGE_LEDGER, EXPERIENCE, RECOMMENDATIONS
from pipeline.models.cart import best_for_items
from pipeline.stages.before import CART
from pipeline.stages.blocks import Block, Outcome
from pipeline.stages.reasons import Reasons, places
from pipeline.stages.scene import Company, Scene
from pipeline.tables import cart as cart_table
from pipeline.tables import experience as experience_table
from pipeline.tables import ledger as ledger_table
from pipeline.tables import recommendations as table

USER = {CART_RECOMMENDATIONS.name: "context_id"}  # where a user's key stands, if not in a column of that name
CAUSE_WORDS = np.array([*CAUSES, ""], dtype=object)  # the last one is for places without an item
RULE_WORDS = {rule.name: rule.sentence for rule in coherence.RULES}


def tables(scene: Scene, words: Reasons, block: Block, outcomes: Mapping[str, Outcome]) -> dict[str, pa.Table]:
    """Rows of every table about a block."""
    company, ids = block.company, scene.before.ids
    reasons = _said(words, block, outcomes)
    rows: dict[str, list[pa.Table]] = defaultdict(list)
    for name, outcome in outcomes.items():
        made = outcome.made
        since = np.where(made.cause == KEPT, _since(outcome), np.datetime64(scene.night.day))
        facts = (
            company.users,
            made.items,
            np.nan_to_num(made.scores),
            reasons[name],
            since,
            CAUSE_WORDS[made.cause],
            ids,
        )
        if name == CART:
            rows[CART_RECOMMENDATIONS.name].append(cart_table.basket_rows(*facts))
        else:
            rows[RECOMMENDATIONS.name].append(table.rows(name, *facts, fallback=block.common))
        rows[CHANGE_LEDGER.name].append(_changes(scene, words, company, name, outcome, reasons[name]))
    rows[EXPERIENCE.name] = _experience(scene, company, outcomes)
    return {name: pa.concat_tables(parts) for name, parts in rows.items()}


def _said(words: Reasons, block: Block, outcomes: Mapping[str, Outcome]) -> dict[str, np.ndarray]:
    """Reasons of every surface's lists: object [B, K]."""
    if block.rests:
        return {
            name: words.of_standing(block.company, one.made.items, one.shown.items, one.told.reasons)
            for name, one in outcomes.items()
            if one.told
        }
    drawn = [name for name in outcomes if name != CART]
    lists = {name: outcome.made.items for name, outcome in outcomes.items()}
    told = words.of_lists(block.company, block.free, [lists[name] for name in drawn])
    return {**dict(zip(drawn, told, strict=True)), CART: words.of_carts(block.company, lists[CART])}


def ascending(blocks: Iterable[tuple[str, Mapping[str, pa.Table]]]) -> Iterator[Mapping[str, pa.Table]]:
    """Rows in parts, users of each of which come after those of the part before.

    Args:
        blocks: the first of its users' keys and the rows of each block, ascending by that key; further users of a block
            may come after the first of the next.
    """
    held: dict[str, pa.Table] = {}
    for first, rows in blocks:
        early = {name: pc.less(some.column(USER.get(name, "user_key")), first) for name, some in held.items()}
        yield {name: some.filter(early[name]) for name, some in held.items()}
        late = {name: [some.filter(pc.invert(early[name]))] for name, some in held.items()}
        held = {name: pa.concat_tables([*late.get(name, []), some]) for name, some in rows.items()}
    yield held


def item_rows(scene: Scene, words: Reasons) -> pa.Table:
    """Rows of what goes with an item."""
    found = scene.complements
    chosen = best_for_items(found, scene.night.shop.cart.list_size)
    return cart_table.item_rows(found, chosen, scene.inputs.space.ids, words.titles)


def _since(outcome: Outcome) -> np.ndarray:
    """Night of entry of what is kept: datetime64[D] [B, K]; what is kept may have moved up."""
    place = places(outcome.shown.items, outcome.made.items)
    return np.take_along_axis(outcome.shown.since, np.maximum(place, 0), axis=1)


def _changes(
    scene: Scene, words: Reasons, company: Company, name: str, outcome: Outcome, reasons: np.ndarray
) -> pa.Table:
    """Rows of the ledger of one surface."""
    items, barred = outcome.open_to
    before, after = outcome.shown.items, outcome.made.items
    allowed = items[before] & (at(barred, before) == 0)
    found = ledger.changes(before, after, outcome.made.cause, allowed)
    gone = coherence.Shown(name, found.user, found.item)
    why = coherence.why_barred(company.facts, gone)
    said = [
        reasons[user, rank - 1] if came else RULE_WORDS.get(rule, "")
        for user, rank, came, rule in zip(found.user, found.rank_now, found.entered, why, strict=True)
    ]
    titles = [*words.titles, *[""] * (len(scene.before.ids) - len(words.titles))]
    return ledger_table.rows(name, company.users, **vars(found), reasons=said, item_ids=scene.before.ids, titles=titles)


def _experience(scene: Scene, company: Company, outcomes: Mapping[str, Outcome]) -> list[pa.Table]:
    """Rows of the experience of whoever has or had a list."""
    lists, kept = [], []
    for name, outcome in outcomes.items():
        made, shown = outcome.made, outcome.shown
        users = np.flatnonzero((made.items >= 0).any(1) | shown.known)
        lists.append(
            experience.Lists(
                name,
                users,
                shown.items[users],
                made.items[users],
                outcome.state[users],
                made.budget[users],
                made.pinned[users],
                made.voluntary[users],
                made.forced[users],
                shown.spent[users],
                shown.unchanged[users],
            )
        )
        kept.append(coherence.Shown(name, *_shown(made.items)))
    broken = coherence.contradictions(company.facts, kept).places
    measured = experience.measure(lists, company.tastes, scene.shelf, scene.policy)
    return [
        experience_table.rows(
            one.surface,
            company.users.take(pa.array(one.users)),
            one.state,
            {
                "list_size": found.size,
                "budget": one.budget,
                "pinned": one.pinned,
                "forced": one.forced,
                "voluntary_by_night": found.by_night,
                "unchanged_nights": found.unchanged,
                "is_stale": found.is_stale,
                "rbo": found.rbo,
                "rbo_floor": found.rbo_floor,
                "churn": found.churn,
                "coherence": found.coherence,
                "calibration_kl": found.calibration_kl,
                "contradictions": np.bincount(shown.user[bad], minlength=len(company.users))[one.users],
            },
        )
        for one, found, shown, bad in zip(lists, measured, kept, broken, strict=True)
    ]


def _shown(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    user, place = np.nonzero(items >= 0)
    return user, items[user, place]
