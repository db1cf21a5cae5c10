"""Contacts who might be: whole they are the user, and cut they are counted as if the lines had never been."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.features import responses
from pipeline.features.responses import NAMES, Campaign, Contacts, Lines
from pipeline.models.audiences import ResponseModel
from pipeline.models.what_if_contacted import Contact

DAY, USERS, ITEMS = 18_000, 12, 7
DRAW = np.random.default_rng(3)


@pytest.fixture
def contact() -> Contact:
    """One of twelve users with what they bought up to and after the day, before a drawn model."""
    many = 120
    lines = Lines(
        pa.array([f"u{number:02}" for number in range(USERS)]),
        DRAW.integers(USERS, size=many), DRAW.integers(ITEMS, size=many), DAY - DRAW.integers(-3, 200, size=many),
        DRAW.integers(1, 900, size=many), DRAW.integers(30, size=many),
    )  # fmt: skip
    sends = 40
    contacts = Contacts(
        DRAW.choice(["c1", "c2"], size=sends).astype(object), DRAW.integers(USERS, size=sends),
        DAY - DRAW.integers(-3, 60, size=sends), DRAW.random(sends) < 0.4,
    )  # fmt: skip
    texts = DRAW.normal(size=(ITEMS, 3)).astype(np.float32)
    size = len(NAMES) + 1
    model = ResponseModel(
        ["Type A"], DRAW.normal(size=size), np.ones(size), DRAW.normal(size=size), -1.0, np.zeros(21),
        np.zeros((0, size + 1)),
    )  # fmt: skip
    aim = Campaign("c", "Campaign", "Type A", DAY, DAY + 20, np.array([1, 2]), "Coupons")
    return Contact(model, aim, DAY, lines, contacts, texts, texts[0], 5)


def log_odds(contact: Contact, lines: Lines) -> float:
    """Of the user among everybody, held against everybody as they are."""
    others = responses.crowd(DAY, contact.lines, contact.contacts, contact.texts)
    found = responses.features(contact.campaign, DAY, lines, contact.contacts, contact.texts, contact.creative, others)
    return float(contact.model.log_odds(found[[contact.user]], np.array(["Type A"], dtype=object))[0])


def test_held_against_themselves_users_are_as_ever(contact: Contact) -> None:
    words = (contact.campaign, DAY, contact.lines, contact.contacts, contact.texts, contact.creative)
    others = responses.crowd(DAY, contact.lines, contact.contacts, contact.texts)
    np.testing.assert_array_equal(responses.features(*words), responses.features(*words, others=others))


def test_with_all_of_the_history_it_is_the_user(contact: Contact) -> None:
    whole = contact.scores(np.ones((2, len(contact.items)), bool))
    assert whole.tolist() == pytest.approx([log_odds(contact, contact.lines)] * 2, rel=1e-12)


def test_cut_it_is_the_user_without_these_lines(contact: Contact) -> None:
    kept = np.random.default_rng(1).random((8, len(contact.items))) < 0.5
    kept[0] = False
    found, lines = contact.scores(kept), contact.lines
    for score, row in zip(found, kept, strict=True):
        gone = (lines.user == contact.user) & ~np.isin(lines.item, contact.items[row])
        columns = {name: getattr(lines, name)[~gone] for name in ("user", "item", "day", "cents", "basket")}
        assert score == pytest.approx(log_odds(contact, replace(lines, **columns)), rel=1e-12)
    assert len(np.unique(found.round(9))) > 4
