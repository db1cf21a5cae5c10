"""Stage the page_layouts table: learn what modules are worth, then move each user's page as little as it pays."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipeline.balance import dwell
from pipeline.balance.dwell import Change, Layouts, Patience, Worth
from pipeline.balance.plan import Plan
from pipeline.contracts.tables import PAGE_LAYOUTS
from pipeline.metrics import intervals, stability
from pipeline.models.layouts import Evidence, Shelves, replayed, shrunken
from pipeline.pages import MODULES, TOP_CATEGORY
from pipeline.settings import Night
from pipeline.stages import consenting, desk
from pipeline.stages.layout_inputs import LayoutInputs
from pipeline.tables import layouts as table
from pipeline.warehouse.staging import Staging

CAUSES = {Change.FIRST: "first_night", Change.KEPT: "kept", Change.FORCED: "forced"}


def run(night: Night, staging: Staging, progress: desk.Progress) -> dict[str, Any]:
    """A layout for every user: their own for those who consent to it, the shop's default for the rest."""
    inputs, pages = LayoutInputs(night), night.shop.pages
    users, consenting_users = consenting.users(night, "consent_personalisation")
    plan = Plan.of(pages.surfaces, inputs.missing)
    evidence, metrics = _evidence(inputs, users, progress)
    facts: dict[str, Any] = {}
    value, common = shrunken(evidence.hits, evidence.weeks)
    if metrics.get("layout/gain/own_over_common_high", 0.0) < 0:
        value = np.tile(common, (len(users), 1))
        facts["fallback"] = "moves by users' own values surely lose against one order for all"
    worth = Worth(value, _shows_tonight(inputs, users), common)
    before = _before(night, users, plan)
    own = np.asarray(pc.is_in(users, consenting_users))
    after, change = _tonight(night, plan, before, worth, own)
    progress(len(inputs.weeks) + 1, len(inputs.weeks) + 2)
    active = _active(night, users)
    cause = np.vectorize(CAUSES.get, otypes=[object])(change)
    cause = np.where(change == Change.CHOSEN, np.where(active, "user", "data")[:, None], cause)
    rows = table.rows(
        users,
        [list(pages.surfaces)[page] for page in plan.page],
        plan.slot,
        after.module,
        default=plan.default_slot[plan.page, after.module],
        anchor=plan.anchor,
        value=np.where(own[:, None], np.take_along_axis(value, after.module, axis=1), np.nan),
        source=np.where(own, inputs.source, "none"),
        since=after.since,
        cause=cause,
        moved=after.moved,
        today=night.day.toordinal(),
        week=dwell.WEEK,
    )
    file = staging.write(PAGE_LAYOUTS, rows)
    progress(len(inputs.weeks) + 2, len(inputs.weeks) + 2)
    metrics |= _changes(plan, before, after, change)
    tags = {"layout/source": inputs.source} | {f"layout/missing/{name}": why for name, why in inputs.missing.items()}
    return {"rows": {file.name: file.rows}, "metrics": metrics, "tags": tags, **facts}


def _evidence(inputs: LayoutInputs, users: pa.Array, progress: desk.Progress) -> tuple[Evidence, dict[str, float]]:
    """What users did with each module's goods over the weeks; how what came before the last one did in it."""
    evidence, metrics, pages = Evidence.none(users), {}, inputs.night.shop.pages
    space = inputs.ranking.space
    for number, (known_by, end) in enumerate(inputs.weeks, start=1):
        shelves = Shelves(inputs.goods(known_by, allowed=space.listable))
        history = shelves.goods.history
        done = inputs.done(history, known_by, end)
        hits, shows = replayed(shelves, done, pages.module_items, inputs.night.shop.threads)
        if end == inputs.night.day:
            rows = np.asarray(pc.index_in(history.users, users)).astype(np.int64)
            value, common = shrunken(evidence.hits, evidence.weeks)
            plan = Plan.of({"home": pages.home}, inputs.missing)
            patience = _patience(inputs.night)
            metrics = judged(plan, Worth(value[rows], shows, common), patience, hits, inputs.night.shop.seed)
        evidence.add(history.users, hits, shows)
        progress(number, len(inputs.weeks) + 2)
    return evidence, metrics


def judged(plan: Plan, worth: Worth, patience: Patience, hits: np.ndarray, seed: int) -> dict[str, float]:
    """Visibility-weighted hits a user in a week that taught nothing, of three orders of one page, and what each gains.

    `default` is the layout file's, `common` the learned order for all, `own` that order after one move by a user's own
    values. Of users who did something with any module's goods.

    Args:
        plan: one page.
        worth: learned before the week; what modules had to show as it began.
        patience: how calm layouts are.
        hits: float [U, M] in the week.
        seed: of the intervals.
    """
    common = dwell.best(plan, worth.of_all)
    start = Layouts(common, np.full(common.shape, dwell.NEVER), np.full(len(common), dwell.NEVER))
    own, _change = dwell.tonight(plan, start, worth, patience, 0)
    orders = {"own": own.module, "common": common, "default": np.tile(plan.default, (len(common), 1))}
    some = hits.any(axis=1)
    if not some.any():
        return {}
    found = {name: (np.take_along_axis(hits, one, axis=1) @ plan.visibility)[some] for name, one in orders.items()}
    metrics = {f"layout/hits/{name}": float(values.mean()) for name, values in found.items()}
    for first, second in (("own", "common"), ("own", "default"), ("common", "default")):
        name = f"layout/gain/{first}_over_{second}"
        mean, low, high = intervals.paired_gain(found[first], found[second], seed=seed)
        metrics |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return metrics


def _patience(night: Night) -> Patience:
    rules = night.shop.policy.layout
    return Patience(rules.dwell_days, rules.moves_per_week, rules.margin)


def _shows_tonight(inputs: LayoutInputs, users: pa.Array) -> np.ndarray:
    """Which modules have something to show each user: bool [U, M]; strangers are shown what everybody is."""
    shelves = Shelves(inputs.goods(inputs.night.day, allowed=inputs.ranking.space.recommendable))
    history = shelves.goods.history
    _hits, known = replayed(shelves, sp.csr_matrix(history.weight.shape), 1, inputs.night.shop.threads)
    # A profile's top category stands on the home page even on a day when its shelf is bare.
    known[:, MODULES.index(TOP_CATEGORY)] |= np.diff(shelves.shares.indptr) > 0
    shows = np.tile([module in shelves.for_strangers for module in MODULES], (len(users), 1))
    rows = np.asarray(pc.fill_null(pc.index_in(users, history.users), -1)).astype(np.int64)
    shows[rows >= 0] = known[rows[rows >= 0]]
    return shows


def _before(night: Night, users: pa.Array, plan: Plan) -> Layouts:
    """What users saw in the snapshot this night follows; nothing where that has no layouts."""
    last = desk.parent(night)
    if last is None or PAGE_LAYOUTS.name not in last.manifest.tables:
        return Layouts.unseen(len(users), len(plan.page))
    names = [list(night.shop.pages.surfaces)[page] for page in plan.page]
    return Layouts(*table.seen(last.table(PAGE_LAYOUTS.name), users, names, plan.slot, dwell.NEVER))


def _tonight(night: Night, plan: Plan, before: Layouts, worth: Worth, own: np.ndarray) -> tuple[Layouts, np.ndarray]:
    today = night.day.toordinal()
    moved, change = dwell.tonight(plan, before, worth, _patience(night), today)
    same, changed = dwell.unpersonal(plan, before, today)
    after = Layouts(
        np.where(own[:, None], moved.module, same.module),
        np.where(own[:, None], moved.since, same.since),
        np.where(own, moved.moved, same.moved),
    )
    return after, np.where(own[:, None], change, changed)


def _active(night: Night, users: pa.Array) -> np.ndarray:
    """Who did anything since the night before: bool [U]."""
    last = desk.parent(night)
    return np.asarray(pc.is_in(users, desk.active_since(night, last.manifest.day if last else date.min)))


def _changes(plan: Plan, before: Layouts, after: Layouts, change: np.ndarray) -> dict[str, float]:
    """How much of what users know changed tonight; nothing on a first night."""
    known = (before.module >= 0).any(axis=1)
    if not known.any():
        return {}
    rate = stability.layout_change_rate(before.module[known], after.module[known], plan.visibility)
    return {
        "layout/change_rate": float(rate.mean()),
        "layout/moved": float((change[known] == Change.CHOSEN).any(axis=1).mean()),
        "layout/forced": float((change[known] == Change.FORCED).any(axis=1).mean()),
    }
