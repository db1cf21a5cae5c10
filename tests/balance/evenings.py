"""Small drawn nights: users who now and then buy, rankings that drift, items that sell out."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.balance.coherence import Facts
from pipeline.balance.replay import Evening
from pipeline.balance.surface import Rankings
from pipeline.balance.surfaces import Ranked
from pipeline.policy import SURFACES, load_policy

POLICY = load_policy("default")
DAY = date(2020, 3, 1)
SHELVES = 6


def ranked(scores, depth):
    """The best `depth` items of each row."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Ranked(order, np.take_along_axis(scores, order, axis=1))


def keys(count):
    return pa.array([f"u{user:04}" for user in range(count)])


def evenings(nights, seed=0, users=40, items=70, drift=0.6, bought=0.3):
    """Nights of the same users and items.

    Args:
        nights: how many.
        seed: of all drawing.
        users: how many.
        items: how many.
        drift: how much scores move from night to night.
        bought: share of users who buy on a day.
    """
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(users, items))
    age = np.zeros((users, items))
    shelf = np.arange(items) % SHELVES
    taste = draw.dirichlet(np.ones(SHELVES), users)
    out = []
    for night in range(nights):
        age[age > 0] += 1
        active = draw.random(users) < bought
        age[np.flatnonzero(active), draw.integers(items, size=int(active.sum()))] = 1
        scores = scores + drift * draw.normal(size=scores.shape)
        facts = Facts(
            recommendable=draw.random(items) > 0.03,
            replenishable=np.arange(items) % 2 == 0,
            age=sp.csr_matrix(age),
            just_bought_days=POLICY.just_bought_days,
            rest_days={name: POLICY.surfaces[name].rest_days for name in SURFACES},
        )
        champion = ranked(scores + drift * draw.normal(size=scores.shape), 50)
        rankings = {name: Rankings(ranked(scores, 50), champion if night else None) for name in SURFACES}
        out.append(
            Evening(
                day=DAY + timedelta(night), users=keys(users), ids=pa.array([f"i{item:03}" for item in range(items)]),
                idle=~active, rankings=rankings, facts=facts, taste=sp.csr_matrix(taste),
                evidence=np.full(users, 9.0), category=shelf, salt=f"test/{night}",
            )
        )  # fmt: skip
    return out
