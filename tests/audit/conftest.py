"""A small shop whose lists are balanced night after night by the code that makes them: a truth for the audit."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline.audit.recount import Budget, World
from pipeline.balance import coherence, experience, ledger
from pipeline.balance.merge import merge
from pipeline.contracts.tables import CART_RECOMMENDATIONS, CAUSES, RECOMMENDATIONS, STATES, TABLES
from pipeline.metrics.stability import voluntary
from pipeline.policy import SURFACES, load_policy
from pipeline.tables import experience as experience_table
from pipeline.tables import ledger as ledger_table

POLICY = load_policy("default")
BUDGETS = {"idle": Budget(2, 3), "active": Budget(5, 1)}
NEW, ACTIVE, IDLE = range(3)
FIRST = date(2017, 6, 1)
AHEAD = {"A": 1.5, "B": 0.5}


@dataclass
class Shop:
    """Users, goods, and what has been published so far."""

    seed: int
    users: int = 40
    items: int = 90
    night: int = -1
    last: dict[str, pa.Table] = field(default_factory=dict)
    tonight: dict[str, pa.Table] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.keys = pa.array([f"{n:032x}" for n in range(self.users)])
        self.ids = pa.array([f"i{n:03d}" for n in range(self.items)])
        self.shelf = self.rng.integers(0, 6, self.items)
        self.taste = self.rng.normal(size=(self.users, self.items))
        bought = [(u, i, n) for u in range(self.users) for n in range(4) for i in self.rng.choice(self.items // 2, 5)]
        self.bought = [(u, int(i), FIRST - timedelta(9 + 9 * n)) for u, i, n in bought]

    @property
    def day(self) -> date:
        return FIRST + timedelta(self.night)

    def go(self) -> None:
        """One more night."""
        self.last, self.night = self.tonight, self.night + 1
        self.active = self.rng.random(self.users) < 0.3
        self.bought += [
            (int(u), int(i), self.day) for u in np.flatnonzero(self.active) for i in self.rng.choice(self.items, 4)
        ]
        self.fit = self.rng.random(self.items) < 0.985
        self.taste += 0.3 * self.rng.normal(size=self.taste.shape)
        facts, tables, made = (
            self._facts(),
            {"recommendations": [], "change_ledger": [], "cart_recommendations": []},
            [],
        )
        for surface in SURFACES:
            made.append(self._surface(surface, facts, tables))
        tastes = sp.csr_matrix(np.full((self.users, 6), 1 / 6))
        measured = experience.measure([one for one, _ in made], tastes, self.shelf, POLICY)
        tables["experience"] = [
            experience_table.rows(lists.surface, self.keys, lists.state, vars(one) | self._told(lists, one, broken))
            for (lists, broken), one in zip(made, measured, strict=True)
        ]
        self.tonight = {name: TABLES[name].enforce(pa.concat_tables(parts)) for name, parts in tables.items()}

    def world(self, **changes) -> World:
        lines = pd.DataFrame(self.bought, columns=["user", "item", "ds"])
        taken = lines.groupby(["user", "item"]).ds.agg(times="nunique", last_on="max").reset_index()
        keys, ids = (np.array(one.to_pylist()) for one in (self.keys, self.ids))
        given = {
            "day": self.day,
            "last_day": self.day - timedelta(1) if self.last else None,
            "active": keys[self.active].tolist(),
            "readable": keys.tolist(),
            "items": pd.DataFrame({"item_id": ids, "shelf": self.shelf, "recommendable": self.fit}),
            "taken": taken.assign(user_key=keys[taken.user], item_id=ids[taken["item"]]).drop(columns=["user", "item"]),
            "budgets": BUDGETS,
            "policy": POLICY,
        }
        return World(**(given | changes))

    def _facts(self):
        shape = (self.users, self.items)
        baskets, age = np.zeros(shape), np.zeros(shape)
        for user, item, day in set(self.bought):
            baskets[user, item] += 1
            days = (self.day - day).days + 1
            age[user, item] = min(age[user, item] or days, days)
        matrices = (sp.csr_matrix(one.astype(np.float32)) for one in (baskets, age))
        return coherence.gather(POLICY, self.fit, *matrices, self.shelf)

    def _surface(self, surface, facts, tables):
        size, users = POLICY.surfaces[surface].size, np.arange(self.users)
        empty = np.full((self.users, size), -1)
        before, since = self.lists.get(surface, (empty, np.zeros(empty.shape, "datetime64[D]")))
        allowed, barred = coherence.eligible(facts, surface)
        may = allowed & ~barred.toarray()
        state = np.where(before[:, 0] < 0, NEW, np.where(self.active, ACTIVE, IDLE)).astype(np.int8)
        spent, unchanged = experience_table.carried(self.last.get("experience"), surface, self.keys)
        week = np.clip(POLICY.week_limit - spent.sum(1), 0, BUDGETS["idle"].replacements)
        budget = np.select([state == NEW, state == ACTIVE], [size, BUDGETS["active"].replacements], week)
        pinned = np.select([state == NEW, state == ACTIVE], [0, BUDGETS["active"].pinned], BUDGETS["idle"].pinned)
        scores = np.where(may, self.taste, -np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :60]
        ranked = np.take_along_axis(scores, order, 1)
        order[np.isinf(ranked)] = -1
        stays = np.take_along_axis(may, np.maximum(before, 0), 1)
        held = np.where((before >= 0) & ~stays, -2, before)
        merged = merge(held, order, np.nan_to_num(ranked, neginf=-99.0), budget, pinned)
        why = np.where(state == ACTIVE, CAUSES.index("user"), CAUSES.index("data"))[:, None]
        cause = np.where(merged.forced, CAUSES.index("forced"), np.where(merged.fresh, why, CAUSES.index("kept")))
        cause[state == NEW] = CAUSES.index("first_night")
        kept_at = (merged.items[:, :, None] == before[:, None, :]).argmax(2)
        now = np.where(
            merged.fresh | (state == NEW)[:, None], np.datetime64(self.day), np.take_along_axis(since, kept_at, 1)
        )
        changes = ledger.changes(before, merged.items, cause.astype(np.int8), stays)
        why_gone = coherence.why_barred(facts, coherence.Shown(surface, changes.user, changes.item))
        words = {"reasons": list(why_gone), "item_ids": self.ids, "titles": self.ids.to_pylist()}
        tables["change_ledger"].append(ledger_table.rows(surface, self.keys, **vars(changes), **words))
        tables["cart_recommendations" if surface == "cart" else "recommendations"].append(
            self._rows(surface, merged.items, cause, now)
        )
        self.lists[surface] = (merged.items, now)
        chosen = np.where(state == NEW, 0, voluntary(before, merged.items, merged.forced_count))
        pinned = np.minimum(pinned, (before >= 0).sum(1))
        lists = experience.Lists(
            surface, users, before, merged.items, state, budget, pinned, chosen, merged.forced_count, spent, unchanged
        )
        return lists, np.zeros(self.users, int)

    def _told(self, lists, measured, broken):
        return {
            "list_size": measured.size, "budget": lists.budget, "pinned": lists.pinned, "forced": lists.forced,
            "voluntary_by_night": measured.by_night, "unchanged_nights": measured.unchanged, "contradictions": broken,
        }  # fmt: skip

    def _rows(self, surface, items, cause, since):
        user, place = np.nonzero(items >= 0)
        count = len(user)
        known = {
            "user_key": self.keys.take(pa.array(user)), "context_id": self.keys.take(pa.array(user)),
            "surface": pa.array([surface] * count), "context": pa.array(["basket"] * count),
            "rank": pa.array(place + 1, pa.int32()), "item_id": self.ids.take(pa.array(items[user, place])),
            "score": pa.array(-place.astype(float)), "reason": pa.array(["Fits your basket"] * count),
            "kept_since": pa.array(since[user, place]),
            "change_cause": pa.array(CAUSES).take(pa.array(cause[user, place])),
            "is_fallback": pa.array([False] * count), "lift": pa.nulls(count, pa.float64()),
            "together": pa.nulls(count, pa.int64()),
        }  # fmt: skip
        table = CART_RECOMMENDATIONS if surface == "cart" else RECOMMENDATIONS
        return pa.table({name: known[name] for name in TABLES[table.name].names})


@pytest.fixture(scope="session")
def make_shop():
    """A shop after so many nights."""

    def made(seed: int, nights: int, **sizes) -> Shop:
        shop = Shop(seed, **sizes)
        for _ in range(nights):
            shop.go()
        return shop

    return made


assert STATES == ("new", "active", "idle")
