"""Audiences: whom they hold, whom they hold out, and what is expected of them."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.features.responses import NAMES
from pipeline.models import membership
from pipeline.models.audiences import ResponseModel
from pipeline.models.uplift import Effect
from pipeline.tables import audiences as table

DAY = date(2017, 3, 5)
USERS = 400
KEYS = pa.array([f"{n:032x}" for n in range(USERS)])
CAMPAIGN = {
    "campaign_id": "spring", "campaign_name": "Spring", "campaign_kind": "A",
    "starts_on": date(2017, 3, 1), "ends_on": date(2017, 4, 9),
}  # fmt: skip


@pytest.fixture
def model():
    weights = np.zeros(len(NAMES) + 1)
    weights[NAMES.index("baskets_90d")] = 1.5
    draw = np.random.default_rng(1)
    draws = np.r_[weights, -2.0] + draw.normal(scale=0.1, size=(100, len(weights) + 1))
    width = len(NAMES) + 1
    return ResponseModel(["A"], np.zeros(width), np.ones(width), weights, -2.0, np.linspace(0, 1, 21), draws)


@pytest.fixture
def features():
    return np.random.default_rng(2).normal(size=(USERS, len(NAMES)))


POLICY = membership.Policy(
    day=DAY, enter_above=1.0 + 1e-9, leave_below=1.0, holdout_share=0.1, salt="s", min_size=100,
    match_rate=0.5, seed=7,
)  # fmt: skip
NOBODY = np.zeros(USERS, bool)
BEGINS = membership.Run(0.0, 1.0, NOBODY)
UNTOLD = Effect("nobody was contacted")
PURSE = membership.Purse(20.0)


@pytest.fixture
def score(model, features):
    def made(
        campaign=None,
        rows=features,
        allowed=~NOBODY,
        is_open=~NOBODY,
        policy=POLICY,
        run=BEGINS,
        purse=PURSE,
        effect=UNTOLD,
    ):
        return membership.score(
            {**CAMPAIGN, **(campaign or {})}, KEYS, rows, model, policy, value_cents=1000.0, allowed=allowed,
            is_open=is_open, run=run, purse=purse, effect=effect,
        )  # fmt: skip

    return made


@pytest.fixture
def build(model, score):
    def made(campaign=None, last=None, **changes):
        given = {name: changes.pop(name) for name in ("rows", "allowed", "is_open", "run", "purse") if name in changes}
        policy = replace(POLICY, **changes)
        one = score(campaign, policy=policy, **given)
        return table.settle([one], {} if last is None else {one.id: last}, model, policy)[0]

    return made


def again(audience, day=DAY):
    """An audience as the next night finds it published."""
    return table.last_night(rows(audience), KEYS, day)["spring"]


def rows(audience):
    return AD_AUDIENCES.enforce(table.audience_rows(audience))


def summary(*audiences):
    made = pa.Table.from_pylist(table.summary_rows(list(audiences)), schema=AD_AUDIENCE_SUMMARY.schema)
    return {row["campaign_id"]: row for row in AD_AUDIENCE_SUMMARY.enforce(made).to_pylist()}


def test_the_likeliest_come_first_and_all_are_worth_their_cost(build, model, features):
    made = rows(build())
    chance = model.propensity(features, np.full(USERS, "A", object))
    worth = {KEYS[n].as_py(): round(round(chance[n], 6) * 1000 - 20, 2) for n in range(USERS)}
    assert {key for key, value in worth.items() if value > 0} == set(made.column("user_key").to_pylist())
    assert 0 < len(made) < USERS
    propensity = made.column("propensity").to_numpy()
    assert (np.diff(propensity) <= 0).all()
    told = dict(zip(made.column("user_key").to_pylist(), made.column("expected_value_cents").to_pylist(), strict=True))
    assert told == {key: pytest.approx(value) for key, value in worth.items() if value > 0}


def test_equally_likely_users_stand_in_the_order_of_their_keys(build):
    made = rows(build(rows=np.zeros((USERS, len(NAMES)))))
    assert made.column("user_key").to_pylist() == sorted(KEYS.to_pylist())


def test_deciles_are_tenths_of_the_audience(build):
    decile = rows(build()).column("decile").to_numpy()
    assert (np.diff(decile) >= 0).all()
    counts = np.bincount(decile, minlength=11)[1:]
    assert counts.max() - counts.min() <= 1


def test_no_uplift_is_claimed_where_none_can_be_told(build):
    assert rows(build()).column("uplift").null_count == len(rows(build()))
    told = summary(build())["spring"]
    assert (told["measured_uplift"], told["uplift_reason"]) == (None, UNTOLD.reason)
    assert summary(build(min_size=1000))["spring"]["uplift_reason"] == "its audience is withheld"


def test_an_effect_that_is_told_stands_beside_each_user(model, score):
    each = np.linspace(-0.1, 0.3, USERS).round(6)
    known = membership.score(
        CAMPAIGN, KEYS, score().features, model, POLICY, value_cents=1000.0, allowed=~NOBODY, is_open=~NOBODY,
        run=BEGINS, purse=PURSE, effect=Effect(None, (0.1, 0.05, 0.15)), uplift=each,
    )  # fmt: skip
    (audience,) = table.settle([known], {}, model, POLICY)
    of_user = dict(zip(KEYS.to_pylist(), each.tolist(), strict=True))
    made = rows(audience)
    assert [of_user[key] for key in made.column("user_key").to_pylist()] == made.column("uplift").to_pylist()
    told = summary(audience)["spring"]
    assert [told[name] for name in (*table.MEASURED, "uplift_reason")] == [0.1, 0.05, 0.15, None]


def test_the_holdout_is_the_same_whoever_else_may_be_contacted(build):
    def held(audience):
        made = rows(audience)
        return set(made.filter(made.column("is_holdout")).column("user_key").to_pylist())

    whole = held(build())
    assert held(build(allowed=np.arange(USERS) < 300)) == whole & set(KEYS.slice(0, 300).to_pylist())
    assert held(build(salt="other")) != whole
    assert held(build(campaign={"campaign_id": "autumn"})) != whole
    assert 0.03 < len(whole) / len(rows(build())) < 0.2


def test_the_holdout_counts_neither_in_size_nor_in_responses(build):
    audience, made = build(), rows(build())
    contacted = made.filter(pc.invert(made.column("is_holdout")))
    told = summary(audience)["spring"]
    assert told["size"] == audience.size == len(contacted) < len(made)
    assert told["expected_responses"] == pytest.approx(sum(contacted.column("propensity").to_pylist()), abs=0.01)
    assert told["expected_responses_low"] < told["expected_responses"] < told["expected_responses_high"]


def test_below_the_minimum_nobody_is_published(build):
    audience = build(min_size=1000)
    assert len(rows(audience)) == 0
    told = summary(audience)["spring"]
    assert told["is_published"] is False
    assert "1,000" in told["withheld_reason"]
    assert told["size"] == audience.size > 0


def test_the_minimum_is_of_those_contacted(build):
    size = build().size
    assert build(min_size=size).withheld is None
    assert build(min_size=size + 1).withheld


def test_when_nobody_is_worth_a_contact_the_audience_is_empty_and_withheld(build):
    audience = build(purse=membership.Purse(10_000))
    assert (audience.size, len(rows(audience))) == (0, 0)
    told = summary(audience)["spring"]
    assert (told["is_published"], told["expected_responses"], told["expected_responses_high"]) == (False, 0, 0)


def test_platforms_count_matched_users_only(build):
    size = build().size
    assert build(match_rate=100 / size + 1e-6).platforms == ["google", "meta", "pinterest"]
    assert build(match_rate=99 / size).platforms == []


def test_the_nearest_sibling_is_named_by_the_overlap_of_the_tops(build, features):
    same, other = build(campaign={"campaign_id": "same"}), build(campaign={"campaign_id": "other"}, rows=-features)
    assert len(other.users) > 100
    told = summary(build(), same, other)
    assert (told["spring"]["nearest_campaign_id"], told["spring"]["nearest_overlap"]) == ("same", 1.0)
    assert told["other"]["nearest_overlap"] < 0.2
    alone = summary(build())["spring"]
    assert alone["nearest_campaign_id"] is None
    assert alone["nearest_overlap"] is None


def test_reasons_are_those_of_the_likeliest(build):
    told = summary(build())["spring"]["top_reasons"]
    assert 1 <= len(told) <= 3
    assert all("hops often" in words for words in told)


def test_two_builds_are_the_same(build):
    one, two = build(), build()
    assert np.array_equal(one.draws, two.draws)
    assert rows(one).equals(rows(two))


def keys(audience):
    return set(rows(audience).column("user_key").to_pylist())


def test_who_withheld_consent_is_in_no_audience(build):
    draw = np.random.default_rng(4)
    for _ in range(20):
        agreed = draw.random(USERS) > draw.random()
        assert keys(build(allowed=agreed)) <= set(KEYS.filter(pa.array(agreed)).to_pylist())


def test_between_the_thresholds_a_member_stays_and_nobody_enters(build, score):
    gross = score().gross_cents
    strict = build(enter_above=3.0)
    assert keys(strict) == set(KEYS.filter(pa.array(gross > 60)).to_pylist())
    everyone = build(min_size=1)
    later = build(last=again(everyone), enter_above=3.0)
    assert keys(later) == keys(everyone) > keys(strict)


def test_a_few_changes_wait_and_those_who_stay_keep_their_day(build):
    first = build()
    answered = NOBODY.copy()
    answered[[KEYS.index(key).as_py() for key in first.users.filter(pa.array(~first.holdout)).to_pylist()[:5]]] = True
    later = build(last=again(first), is_open=~answered, day=DAY + timedelta(1))
    assert keys(later) == keys(first)
    assert set(rows(later).column("in_since").to_pylist()) == {DAY}
    assert (later.changes["entered"], later.changes["left"], later.changes["last_overlap"]) == (0, 0, 1.0)


def test_many_changes_are_made_and_counted(build, features):
    first = build(min_size=10)
    later = build(last=again(first), rows=-features, min_size=10, day=DAY + timedelta(3))
    before, now = (set(made.users.filter(pa.array(~made.holdout)).to_pylist()) for made in (first, later))
    told = summary(later)["spring"]
    assert (told["entered"], told["left"]) == (len(now - before), len(before - now))
    assert told["flapped"] == told["left"] > 10
    assert told["smallest_difference"] == min(told["entered"], told["left"])
    assert told["last_overlap"] == pytest.approx(len(now & before) / len(now | before), abs=1e-4)
    calm = build(last=again(first), rows=-features, min_size=10, day=DAY + timedelta(7))
    assert (calm.changes["left"], calm.changes["flapped"]) == (told["left"], 0)


def test_siblings_differ_by_nobody_or_by_many(model, score, features):
    draw, policy = np.random.default_rng(5), replace(POLICY, min_size=20)
    one = score({"campaign_id": "one"}, policy=policy)
    two = score({"campaign_id": "two"}, rows=features + draw.normal(scale=0.05, size=features.shape), policy=policy)
    made = table.settle([one, two], {}, model, policy)
    first, second = (set(a.users.filter(pa.array(~a.holdout)).to_pylist()) for a in made)
    assert all(len(part) == 0 or len(part) >= 20 for part in (first - second, second - first))
    found = [len(part) for part in (first - second, second - first) if part]
    assert [audience.changes["smallest_difference"] for audience in made] == [min(found, default=None)] * 2


def test_an_audience_that_would_tell_of_a_few_is_withheld_and_says_so(model, score):
    policy, place = replace(POLICY, min_size=150, holdout_share=0.0), np.arange(USERS)
    last = membership.Members(place < 200, NOBODY, NOBODY, np.full(USERS, np.datetime64(DAY)))
    # Five must go; with the 145 that would have to leave with them, too few stay.
    one = score(rows=np.zeros((USERS, len(NAMES))), allowed=(place >= 5) & (place < 200), policy=policy)
    made = table.settle([one], {"spring": last}, model, policy)[0]
    assert "fewer than 150 users, who could be told" in made.withheld
    assert len(rows(made)) == 0
    assert summary(made)["spring"]["is_published"] is False


def test_last_night_is_read_from_what_was_published_by_an_older_release_too(build):
    old = rows(build()).drop_columns(["in_since"])
    members = table.last_night(old, KEYS, DAY)["spring"]
    assert members.contacted.sum() == build().size
    assert members.held.sum() == build().holdout.sum()
    assert (members.in_since[members.contacted | members.held] == np.datetime64(DAY)).all()


def test_a_campaign_that_has_run_has_fewer_responses_to_expect(build, features, model):
    reached = np.arange(USERS) % 2 == 0
    late = build(run=membership.Run(0.6, 0.3, reached), purse=membership.Purse(0.0))
    chance = dict(zip(KEYS.to_pylist(), model.propensity(features, np.full(USERS, "A", object)), strict=True))
    told = dict(zip(late.users.to_pylist(), late.propensity, strict=True))
    for place, key in enumerate(KEYS.to_pylist()):
        p = chance[key]
        expected = p * 0.4 / (1 - p * 0.6) if reached[place] else p * 0.3
        assert told[key] == pytest.approx(expected, abs=1e-6)
    assert late.draws.mean() == pytest.approx(late.propensity[~late.holdout].sum(), rel=0.1)


def test_what_is_about_a_sensitive_category_reaches_nobody_and_says_so(score, model):
    one = replace(score(allowed=NOBODY), barred="DRUG")
    made = table.settle([one], {}, model, POLICY)[0]
    assert len(rows(made)) == 0
    assert made.withheld == "it is about a sensitive category, drug"


def test_without_budget_and_cap_all_worth_it_are_planned(build):
    made, told = rows(build()), summary(build())["spring"]
    planned = made.filter(made.column("is_planned"))
    assert len(planned) == told["planned"] == told["size"]
    assert not any(planned.column("is_holdout").to_pylist())
    assert told["planned_cost_cents"] == 20 * len(planned)
    assert told["planned_value_cents"] == pytest.approx(sum(planned.column("expected_value_cents").to_pylist()), abs=1)
    assert (told["budget_cents"], told["plan_reason"]) == (None, None)


def test_a_budget_counts_what_was_sent_and_takes_the_worthiest(build):
    budget = membership.Purse(20.0, budget_cents=3000.0, sent=30)
    made, told = rows(build(purse=budget, min_size=20)), summary(build(purse=budget, min_size=20))["spring"]
    planned = made.filter(made.column("is_planned")).column("rank").to_pylist()
    open_to = made.filter(pc.invert(made.column("is_holdout"))).column("rank").to_pylist()
    assert planned == open_to[:120]
    assert (told["spent_cents"], told["planned"], told["planned_cost_cents"]) == (600, 120, 2400)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purse": membership.Purse(20.0, 100.0, 5)}, "its budget is spent"),
        ({"purse": membership.Purse(20.0, 500.0)}, "fewer than 100 users"),
        ({"min_size": 1000}, "its audience is withheld"),
    ],
)
def test_a_plan_for_nobody_says_why(build, changes, why):
    audience = build(**changes)
    assert not any(rows(audience).column("is_planned").to_pylist())
    told = summary(audience)["spring"]
    assert (told["planned"], told["planned_value_cents"]) == (0, 0)
    assert why in told["plan_reason"]


def test_siblings_share_users_as_the_room_for_contacts_allows(model, score, features):
    policy = replace(POLICY, min_size=20)
    scored = [score({"campaign_id": "one"}), score({"campaign_id": "two"}, rows=-features)]
    room = np.arange(USERS) % 2
    made = table.settle(scored, {}, model, policy, room)
    planned = [set(a.users.filter(pa.array(a.planned)).to_pylist()) for a in made]
    assert all(len(one) >= 20 for one in planned)
    assert not planned[0] & planned[1]
    assert planned[0] | planned[1] <= set(KEYS.filter(pa.array(room == 1)).to_pylist())


def test_last_nights_plan_is_read_again(build):
    first = build(purse=membership.Purse(20.0, 3000.0))
    planned = set(first.users.filter(pa.array(first.planned)).to_pylist())
    assert set(KEYS.filter(pa.array(again(first).planned)).to_pylist()) == planned
    assert not table.last_night(rows(first).drop_columns(["is_planned"]), KEYS, DAY)["spring"].planned.any()
