"""Small histories, written as what each user bought, one basket a week."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from pipeline.features.history import History
from pipeline.features.sequences import Lines
from pipeline.models import baskets as baskets_of_users
from pipeline.models import sequential
from pipeline.models.recommendations import Knowledge, repeated
from pipeline.models.ways import Taste
from pipeline.settings import RecommenderSettings, Training

Baskets = Sequence[Sequence[Sequence[int]]]

WEEK = 7


def make_history(baskets: Baskets, items: int) -> History:
    """A history of users (each a list of weekly baskets, oldest first, the newest today) over some items.

    Args:
        baskets: user, basket, item place.
        items: how many items there are.
    """
    users = len(baskets)
    count, weight, age, gap = (np.zeros((users, items), np.float32) for _ in range(4))
    buyers = np.zeros(items, np.float32)
    item, basket, days, starts = [], [], [], [0]
    for user, held in enumerate(baskets):
        for number, things in enumerate(held):
            old = (len(held) - 1 - number) * WEEK
            for thing in things:
                gap[user, thing] = age[user, thing] - old - 1 if age[user, thing] else 0
                count[user, thing] += 1
                weight[user, thing] += 2 ** (-old / 30)
                age[user, thing] = old + 1
                item.append(thing)
                basket.append(len(starts) * 100 + number)
                days.append(old)
        starts.append(len(item))
        buyers[list({thing for things in held[-4:] for thing in things})] += 1
    return History(
        as_of=date(2020, 3, 10),
        users=pa.array([f"u{user:03}" for user in range(users)]),
        baskets=sp.csr_matrix(count),
        weight=sp.csr_matrix(weight),
        age=sp.csr_matrix(age),
        gap=sp.csr_matrix(gap),
        buyers_recent=buyers,
        stores=np.zeros(items, np.float32),
        lines=Lines(*(np.array(one, np.int64) for one in (item, basket, days, starts))),
    )


@pytest.fixture(scope="session")
def a_history() -> Callable[[Baskets, int], History]:
    """See `make_history`."""
    return make_history


@pytest.fixture
def shoppers() -> History:
    """40 users over 12 items: each user keeps to a group of four, now and then something else."""
    draw = np.random.default_rng(3)
    return make_history(
        [
            [sorted({int(draw.integers(4)) + 4 * (user % 3), int(draw.integers(12))}) for _ in range(6)]
            for user in range(40)
        ],
        12,
    )


@pytest.fixture
def known(shoppers: History) -> Knowledge:
    """What a recommender reads of them; item 11 may not be listed."""
    draw = np.random.default_rng(5)
    texts = draw.normal(size=(12, 8)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    states, vectors = (draw.normal(size=(size, 6)).astype(np.float32) for size in (40, 11))
    counted = repeated(shoppers, np.arange(11))
    taste = Taste(shoppers.weight[:, :11], texts[:11])
    return replace(counted, read=(sequential.Ways(states, vectors), taste))


@pytest.fixture
def tiny() -> RecommenderSettings:
    """A recommender that trains in a second."""
    return RecommenderSettings(
        width=8,
        layers=1,
        heads=2,
        history=8,
        negatives=16,
        min_purchases=1,
        candidates=10,
        training=Training(
            steps=12,
            warm_steps=2,
            batch_size=8,
            learning_rate=1e-2,
            warm_learning_rate=1e-3,
            eval_steps=6,
            patience=5,
        ),
    )


@pytest.fixture
def baskets() -> baskets_of_users.Baskets:
    """Four users, one without any basket, and five items, one never bought."""
    users = [[[0], [1], [0], [2], [0, 2], [1]], [[2]], [], [[1], [0, 3]]]
    flat = [(user, basket) for user, taken in enumerate(users) for basket in taken]
    item = np.array([item for _, basket in flat for item in basket])
    place = np.repeat(np.arange(len(flat)), [len(basket) for _, basket in flat])
    return baskets_of_users.Baskets(item, place, np.array([user for user, _ in flat]), (4, 5))
