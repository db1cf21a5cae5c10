"""Which hold-outs tell an effect: contacts by the draw do, any other way of contacting is refused in words."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts.tables import AD_EXPERIMENTS
from pipeline.features.responses import Campaign, Contacts, Lines
from pipeline.settings import load_shop
from pipeline.stages import uplift

USERS, TODAY, START, SHARE = 6000, 17_300, 17_270, 0.2
KEYS = pa.array([f"{n:032x}" for n in range(USERS)])
GOODS = 3


@pytest.fixture
def world(monkeypatch):
    """A shop whose contacts sell campaign goods to users of a trait; returns what `learn` says of changed worlds."""
    draw = np.random.default_rng(0)
    trait, held = draw.random(USERS) < 0.5, draw.random(USERS) < SHARE
    bought = draw.random(USERS) < 0.1 + 0.3 * trait * ~held

    def learn(sent=~held, bought=bought, held=held, goods=(GOODS,), today=TODAY, start=START, earlier=()):
        enrolled = pa.table(
            [
                pa.array(["c"] * USERS), KEYS, pa.array(held), pa.array([1 - SHARE] * USERS),
                pa.array([start] * USERS, pa.int32()).cast(pa.date32()),
            ],
            AD_EXPERIMENTS.names,
        )  # fmt: skip
        monkeypatch.setattr(uplift, "enrolments", lambda night: enrolled)
        before, after = np.array(earlier, np.int64), np.flatnonzero(sent)
        user = np.r_[before, after]
        day = np.r_[np.full(len(before), start), np.full(len(after), start + 1)]
        contacts = Contacts(np.full(len(user), "c", object), user, day, np.zeros(len(user), bool))
        buyers, none = np.flatnonzero(bought), np.zeros(int(bought.sum()), np.int64)
        lines = Lines(KEYS, buyers, none + GOODS, none + start + 3, none, none)
        inputs = SimpleNamespace(
            night=SimpleNamespace(shop=load_shop("grocer")), today=today, contacts=contacts, lines=lines,
            campaigns=[Campaign("c", "C", "", start - 1, start + 40, np.array(goods, np.int64), "")],
            features=lambda campaign, day: np.c_[trait, np.random.default_rng(1).normal(size=USERS)],
        )  # fmt: skip
        return uplift.learn(inputs)

    return learn, held, trait


def test_contacts_by_the_draw_tell_their_effect_and_on_whom(world):
    learn, _held, trait = world
    learned = learn()
    effect, each = learned.of("c", np.c_[trait, np.zeros(USERS)])
    assert effect.reason is None
    value, low, high = effect.told
    assert low < 0.15 < high
    assert low < value < high
    assert each[trait].mean() == pytest.approx(0.3, abs=0.06)
    assert abs(each[~trait].mean()) < 0.06
    assert learned.metrics["uplift/qini_low"] > 0
    assert learned.metrics["uplift/qini_area/random"] < learned.metrics["uplift/qini_area/model"]


def test_whom_the_campaign_had_reached_before_the_draw_is_left_out(world):
    learn, held, _trait = world
    reached = np.arange(0, USERS, 3)
    learned = learn(sent=~held & (np.arange(USERS) % 3 > 0), earlier=reached)
    assert learned.metrics["uplift/users"] == USERS - len(reached)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda held: {"sent": np.ones(USERS, bool)}, "users held out were contacted: contacts did not keep"),
        (lambda held: {"sent": np.zeros(USERS, bool)}, "nobody of those enrolled to be contacted has been"),
        (lambda held: {"sent": ~held & (np.arange(USERS) < 3000)}, "of those enrolled to be contacted has been"),
        (lambda held: {"goods": ()}, "names no goods"),
        (lambda held: {"today": START + 5}, "younger than 14 days"),
        (lambda held: {"bought": ~held}, "too few to tell an effect"),
        (lambda held: {"held": np.zeros(USERS, bool), "sent": np.ones(USERS, bool)}, "too few to tell an effect"),
    ],
)
def test_other_contacts_are_refused_in_words(world, changed, why):
    learn, held, trait = world
    learned = learn(**changed(held))
    effect, each = learned.of("c", np.c_[trait, np.zeros(USERS)])
    assert why in effect.reason
    assert (effect.told, each, learned.model, learned.metrics) == (None, None, None, {})


def test_before_anybody_was_enrolled_the_draw_is_announced(world):
    learn, _held, trait = world
    effect, each = learn().of("another", np.c_[trait, np.zeros(USERS)])
    assert (effect.reason, each) == (uplift.FIRST, None)
