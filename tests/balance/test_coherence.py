"""The contract: each rule by hand, what may be shown against what breaks a rule, replenishable goods by brute force."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.balance import coherence
from pipeline.balance.coherence import CHAT, LAYOUT, RULES, Facts, Shown, contradictions, eligible
from pipeline.policy import SURFACES, load_policy

# Ann (0) bought milk (0) today, a drill (1) yesterday and a book (2) five days ago; Bob (1) bought nothing.
MILK, DRILL, BOOK, GONE, BAD = range(5)
REST = dict.fromkeys(SURFACES, 0) | {"email": 7, "ad": 7}
FACTS = Facts(
    recommendable=np.array([True, True, True, False, True]),
    replenishable=np.array([True, False, False, True, True]),
    age=sp.csr_matrix(np.array([[1, 2, 6, 0, 0], [0, 0, 0, 0, 0]], np.float32)),
    just_bought_days=3,
    rest_days=REST,
)
ITEMS = np.arange(5)


def of(surface, user, items=ITEMS, **more):
    return Shown(surface, np.full(len(items), user), np.asarray(items), **more)


@pytest.mark.parametrize(
    ("surface", "user", "breaking"),
    [
        ("home", 0, {DRILL: "just_bought", GONE: "unavailable"}),
        ("email", 0, {MILK: "resting", DRILL: "just_bought", BOOK: "resting", GONE: "unavailable"}),
        ("home", 1, {GONE: "unavailable"}),
        ("ad", 1, {GONE: "unavailable"}),
    ],
)
def test_rules_about_items_by_hand(surface, user, breaking):
    shown = of(surface, user)
    (places,) = contradictions(FACTS, [shown]).places
    assert set(ITEMS[places]) == set(breaking)
    assert dict(enumerate(coherence.why_barred(FACTS, shown))) == {item: breaking.get(item, "") for item in range(5)}
    items, barred = eligible(FACTS, surface)
    assert set(ITEMS[items & (barred[[user]].toarray()[0] == 0)]) == set(range(5)) - set(breaking)


def test_a_rule_without_input_says_so_and_breaks_nothing():
    broken = contradictions(FACTS, [of("home", 1, [MILK]), of(LAYOUT, 0, [-1]), of(CHAT, 0, [MILK])])
    said = {"unavailable": "kept", "just_bought": "kept", "resting": "kept"}
    assert broken.words() == said | dict.fromkeys(("disliked", "lost_category", "misstated"), "no input")
    assert len(broken.users) == 0


def test_disliked_goods_are_neither_eligible_nor_allowed():
    facts = replace(FACTS, disliked=ITEMS == BAD)
    assert not eligible(facts, "home")[0][BAD]
    broken = contradictions(facts, [of("home", 1, [MILK, BAD])])
    assert broken.places[0].tolist() == [False, True]
    assert broken.words()["disliked"] == "1 users"


def test_a_page_keeps_the_categories_a_profile_names():
    facts = replace(FACTS, has_top_category=np.array([True, False]))
    page = Shown(LAYOUT, np.array([0, 1]), np.array([-1, -1]), has_categories=np.array([False, False]))
    assert contradictions(facts, [page]).by_rule["lost_category"].tolist() == [0]
    kept = replace(page, has_categories=np.array([True, False]))
    assert contradictions(facts, [kept]).words()["lost_category"] == "kept"


@pytest.mark.parametrize(("told", "wrong"), [(250.0, False), (251.0, True), (np.nan, False)])
def test_answers_state_the_snapshots_facts(told, wrong):
    facts = replace(FACTS, snapshot={"price_cents": np.array([250.0, 9900, 1200, 100, np.nan])})
    answer = of(CHAT, 1, [MILK], told={"price_cents": np.array([told])})
    assert bool(contradictions(facts, [answer]).places[0][0]) is wrong


def test_an_answer_does_not_make_up_what_is_not_known():
    facts = replace(FACTS, snapshot={"price_cents": np.full(5, np.nan)})
    answer = of(CHAT, 1, [MILK], told={"price_cents": np.array([250.0])})
    assert contradictions(facts, [answer]).by_rule["misstated"].tolist() == [1]


def test_a_surface_that_shows_nothing_breaks_nothing():
    nothing = of("home", 0, ITEMS[:0])
    assert contradictions(FACTS, [nothing]).words()["just_bought"] == "kept"
    assert len(coherence.why_barred(FACTS, nothing)) == 0


def test_users_are_counted_once_however_much_breaks():
    broken = contradictions(FACTS, [of("home", 0), of("email", 0), of("home", 1, [MILK])])
    assert broken.users.tolist() == [0]


def test_every_rule_has_a_sentence_and_binds_a_surface():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and set(rule.surfaces) <= {*SURFACES, LAYOUT, CHAT} for rule in RULES)


@st.composite
def _facts(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    users, items = rng.integers(20, 60), rng.integers(1, 13)
    age = rng.integers(1, 12, (users, items)) * (rng.random((users, items)) < 0.5)
    return Facts(
        rng.random(items) < 0.7, rng.random(items) < 0.5, sp.csr_matrix(age.astype(np.float32)),
        int(rng.integers(1, 9)), {name: int(rng.integers(0, 9)) for name in SURFACES},
        rng.random(items) < 0.2 if rng.random() < 0.5 else None,
    )  # fmt: skip


def test_what_may_be_shown_is_exactly_what_breaks_no_rule():
    cases = []

    @settings(max_examples=120, deadline=None)
    @given(_facts())
    def check(facts):
        users, items = facts.age.shape
        user, item = (one.ravel() for one in np.indices((users, items)))
        for surface in SURFACES:
            allowed, barred = eligible(facts, surface)
            assert barred.dtype == bool
            may = (allowed[None, :] & ~barred.toarray()).ravel()
            (broken,) = contradictions(facts, [Shown(surface, user, item)]).places
            assert np.array_equal(may, ~broken)
        cases.append(users * len(SURFACES))

    check()
    assert sum(cases) >= 10_000, "G5: lists of users on a surface"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_replenishable_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    users, items, shelves = 12, 10, 3
    baskets = rng.integers(0, 4, (users, items)) * (rng.random((users, items)) < 0.4)
    category, share, least = rng.integers(0, shelves, items), float(rng.choice([0.0, 0.2, 0.5])), 4

    def asked(chosen):
        counts = [n for item in chosen for n in baskets[:, item] if n > 0]
        return len(counts), sum(n > 1 for n in counts)

    for item, found in enumerate(coherence.replenishable(sp.csr_matrix(baskets), category, share, least)):
        alike = [other for other in range(items) if category[other] == category[item]]
        for chosen in ([item], alike, range(items)):
            buyers, again = asked(chosen)
            if buyers >= least:
                break
        assert found == (again > 0 and again >= share * buyers)


def test_the_policy_gives_the_thresholds():
    policy = load_policy("default")
    facts = coherence.gather(policy, FACTS.recommendable, sp.csr_matrix((2, 5)), FACTS.age, np.zeros(5, int))
    assert facts.just_bought_days == policy.just_bought_days
    assert facts.rest_days["email"] == policy.surfaces["email"].rest_days
    assert not facts.replenishable.any()
