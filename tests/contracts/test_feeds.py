"""Feeds: what lands holds the pseudonym and never the shop's own name of a user."""

import re

import pytest

from pipeline.contracts import columns as c
from pipeline.contracts.feeds import DEVICES, FEEDS, KINDS, REASON_WORDS, SURFACES, Reason
from pipeline.contracts.table import Privacy

ABOUT_USERS = {"events", "users", "contacts", "reviews", "dialogues"}


@pytest.mark.parametrize("name", FEEDS)
def test_landed_form_swaps_the_identifier_for_the_pseudonym(name):
    raw, landed = FEEDS[name].raw, FEEDS[name].landed
    assert (c.user_id in raw.columns) == (name in ABOUT_USERS)
    assert (c.user_key in landed.columns) == (name in ABOUT_USERS)
    assert not [column.name for column in landed.columns if column.privacy is Privacy.IDENTIFIER]
    renamed = [c.user_key.name if column == c.user_id.name else column for column in raw.names]
    assert landed.names == [*renamed, "ds", "source"]


@pytest.mark.parametrize("name", FEEDS)
def test_landed_form_keeps_key_and_requirements_and_sorts_by_arrival_first(name):
    raw, landed = FEEDS[name].raw, FEEDS[name].landed
    swapped = ["user_key" if column == "user_id" else column for column in raw.never_null]
    assert landed.never_null == (*swapped, "ds", "source")
    assert landed.order == ("ds", *landed.key)
    assert len(landed.key) == len(raw.key)
    assert (landed.name, landed.drift) == (name, raw.drift)
    assert landed.fingerprint != raw.fingerprint


def test_what_others_refer_to_lands_first():
    order = list(FEEDS)
    assert max(map(order.index, ("items", "campaigns"))) < min(map(order.index, ("events", "contacts")))
    assert order.index("items") < order.index("placements")


def test_every_reason_has_words_for_people():
    assert set(REASON_WORDS) == set(Reason)
    assert all(re.fullmatch(r"[a-z][^.|_]+", words) for words in REASON_WORDS.values())
    assert len(set(REASON_WORDS.values())) == len(Reason)


@pytest.mark.parametrize(("column", "values"), [(c.kind, KINDS), (c.surface, SURFACES), (c.device, DEVICES)])
def test_sentences_list_the_values_a_feed_may_hold(column, values):
    assert set(values) <= set(re.findall(r"[a-z_]+", column.sentence))
