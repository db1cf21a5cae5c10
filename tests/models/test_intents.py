"""Common intents: unseen ways to ask are told right far more often than by the commonest class."""

import numpy as np

from pipeline.models import intents

UNSEEN = [
    ("where's my parcel", "order_status"),
    ("when did I buy cheese", "order_history"),
    ("do you have oat milk?", "stock"),
    ("what is the price of cheese", "price"),
    ("which discounts can i use", "offers"),
    ("can you recommend a wine", "recommendations"),
    ("what do i pay for shipping", "policy"),
    ("i want my money back", "return_policy"),
    ("please connect me with a real person", "human"),
    ("what's the weather", "other"),
    ("有没有优惠券", "offers"),
    ("发什么快递", "policy"),
    ("这个多少钱呀", "price"),
    ("转人工客服", "human"),
]


def test_unseen_questions_are_told():
    reader = intents.common()
    chance = reader.probabilities([text for text, _ in UNSEEN])
    told = [reader.classes[one] for one in chance.argmax(1)]
    assert np.mean([one == truth for one, (_, truth) in zip(told, UNSEEN, strict=True)]) >= 0.9
    assert np.allclose(chance.sum(1), 1)
    assert (chance > 0).all()


def test_what_shares_nothing_with_any_example_is_told_unsurely():
    chance = intents.common().probabilities(["zzqx wvrk"])
    assert chance.max() < 0.3


def test_nothing_asked_nothing_told():
    assert intents.common().probabilities([]).shape == (0, len(intents.common().classes))
