"""A backtest: which nights are run, what is judged of drawn ones, and two real small nights lived through again."""

from dataclasses import replace
from datetime import date, timedelta
from math import isnan, nan
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline import backtest, nightly
from pipeline.backtest import GOALS, Beside, Days, Goal, judge
from pipeline.balance.point import Point
from pipeline.balance.replayed import Groups, accuracy, idle_rbo
from pipeline.errors import ConfigError
from pipeline.privacy.keys import VARIABLE
from pipeline.settings import load_shop
from pipeline.warehouse import snapshot
from tests.balance.evenings import DAY, evenings
from tests.test_night import trial_shop

SHOP = load_shop("grocer")
NIGHTS, USERS, ITEMS = 4, 40, 70
CALMER = Point(0.1, 0.9, 1, 3, 5)


@pytest.fixture(scope="module")
def beside():
    draw = np.random.default_rng(2)
    groups = Groups(np.arange(ITEMS) % 2, np.ones(ITEMS), np.arange(USERS) % 2)
    truths = [sp.csr_matrix(draw.random((USERS, ITEMS)) < 0.1) for _ in range(NIGHTS)]
    return {DAY + timedelta(night): Beside(groups, truth) for night, truth in enumerate(truths)}


@pytest.fixture(scope="module")
def told(beside):
    return judge(SHOP, iter(evenings(NIGHTS)), beside, {DAY + timedelta(2): CALMER})


def test_each_night_has_a_row_of_each_kind(told):
    assert len(told.nights) == 2 * NIGHTS
    free, ours = (told.nights[told.nights["kind"] == kind] for kind in ("free", "balanced"))
    assert list(ours["day"]) == list(free["day"]) == [DAY + timedelta(night) for night in range(NIGHTS)]
    assert isnan(ours["idle_rbo"].iloc[0])
    assert (ours["idle_rbo"].to_numpy()[1:] > free["idle_rbo"].to_numpy()[1:]).all()
    assert (ours["ndcg@10_low"] <= ours["ndcg@10"]).all()
    assert (ours["ndcg@10"] <= ours["ndcg@10_high"]).all()


def test_totals_count_each_list_and_each_user_once(told, beside):
    lived = list(backtest.free(evenings(NIGHTS), SHOP.policy))
    overlap = np.concatenate([idle_rbo(night)[0] for night in lived])
    assert told.totals["free/idle_rbo"] == pytest.approx(overlap.mean())
    assert told.totals["free/idle_rbo_least"] == pytest.approx(overlap.min())
    taken = dict(zip((DAY + timedelta(night) for night in range(NIGHTS)), told.points, strict=True))
    assert set(told.points) == {CALMER, Point.start(SHOP.policy)}
    ours = list(backtest.balanced(evenings(NIGHTS), taken.get, SHOP.policy))

    def by_user(nights):
        found = [accuracy(night, beside[night.evening.day].truth)["ndcg@10"] for night in nights]
        return np.nansum(found, axis=0)

    ratio = np.nanmean(by_user(ours)) / np.nanmean(by_user(lived))
    assert told.totals["accuracy_ratio"] == pytest.approx(ratio)
    assert told.totals["price_of_consistency"] == pytest.approx(1 - ratio)
    assert told.totals["accuracy_ratio_low"] <= ratio <= told.totals["accuracy_ratio_high"]
    changed = sum(one.voluntary[one.state == 2].sum() for night in lived for one in night.lists)
    places = sum((one.state == 2).sum() * one.after.shape[1] for night in lived for one in night.lists)
    assert told.totals["free/idle_churn"] == pytest.approx(changed / places)
    cut = 1 - told.totals["balanced/idle_churn"] / told.totals["free/idle_churn"]
    assert told.totals["idle_churn_cut"] == pytest.approx(cut)
    assert told.totals["balanced/under_floor"] == told.totals["balanced/contradicted"] == 0
    assert told.totals["free/contradicted"] > 0


def test_neighbours_of_the_point_are_lived_through_too_and_one_of_them_would_be_taken(told):
    points = [one.point for one in told.replayed]
    assert Point.start(SHOP.policy) in points
    assert len(points) > 5
    rows = told.front()
    assert sum(row["is_chosen"] for row in rows) == 1
    assert len(rows) >= len(points)


def test_figures_are_flat_and_finite(told):
    figures = told.figures()
    assert figures["total/balanced/idle_rbo"] == told.totals["balanced/idle_rbo"]
    assert figures[f"{DAY + timedelta(1)}/free/idle_churn"] > 0
    assert f"{DAY}/free/idle_rbo" not in figures
    assert {name for name in figures if name.startswith("goal/")} == {f"goal/{goal.name}" for goal in GOALS}


@pytest.mark.parametrize(("value", "met"), [(0.9, True), (0.89, False), (nan, False), (None, False)])
def test_a_goal_is_met_by_what_was_measured(value, met):
    assert Goal("one", "words", least=0.9).is_met({} if value is None else {"one": value}) is met
    assert Goal("one", "words", most=0.05).is_met({"one": 0.05}) is True
    assert Goal("one", "words", most=0.05).asked == "≤ 0.05"


def test_nights_that_are_there_are_not_run_again(tmp_path, monkeypatch):
    resting = SHOP.model_copy(update={"policy": SHOP.policy.model_copy(update={"rest_nights": 3})})
    days = Days.of(resting, tmp_path, date(2017, 11, 1), date(2017, 11, 3), 1000)
    assert days.shop.policy == SHOP.policy
    assert [night.day.day for night in days.nights] == [1, 2, 3]
    assert days.nights[0].home == tmp_path / "backtest"
    assert (days.shop.max_users, days.shop.keep_snapshots) == (1000, 5)
    ran = []
    monkeypatch.setattr(snapshot, "history", lambda root: [SimpleNamespace(day=date(2017, 11, 1))])
    monkeypatch.setattr(
        nightly, "run_night", lambda night, first=None, last=None, progress=None: ran.append((night.day, first, last))
    )
    days.publish(lambda *told: None)
    # The first is published, but its rankings are gone; then come the others, and what was bought in the week after.
    assert ran == [
        (date(2017, 11, 1), "score", "score"),
        (date(2017, 11, 2), None, "publish"),
        (date(2017, 11, 3), None, "publish"),
        (date(2017, 11, 10), None, "features"),
    ]
    ran.clear()
    monkeypatch.setattr(backtest.free_lists, "is_kept", lambda night, name: True)
    (days.afterwards.work).mkdir(parents=True)
    (days.afterwards.work / "lines.parquet").touch()
    days.publish(lambda *told: None)
    assert [day for day, *_ in ran] == [date(2017, 11, 2), date(2017, 11, 3)]


def test_one_night_follows_nothing(tmp_path):
    with pytest.raises(ConfigError, match="at least two days"):
        Days.of(SHOP, tmp_path, date(2017, 11, 1), date(2017, 11, 1), None)


@pytest.mark.slow
def test_two_small_nights_are_run_and_judged(tmp_path: Path, tiny_bert: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "5a" * 32)
    shop = load_shop(trial_shop(tmp_path, tiny_bert))
    days = Days.of(shop, tmp_path, date(2017, 3, 30), date(2017, 3, 31), 120)
    told = backtest.run(days, lambda *told: None)
    assert [one.day for one in snapshot.history(days.nights[0].warehouse)] == [date(2017, 3, 31), date(2017, 3, 30)]
    assert told.totals["users"] > 60
    assert told.totals["balanced/idle_lists"] > 100
    assert told.totals["balanced/under_floor"] == told.totals["balanced/contradicted"] == 0
    assert told.totals["balanced/idle_rbo"] > told.totals["free/idle_rbo"]
    assert 0 < told.totals["balanced/ndcg@10"] < 1
    # Nothing of it depends on when it is asked, and nothing is run twice.
    monkeypatch.setattr(nightly, "run_night", None)
    assert backtest.run(replace(days), lambda *told: None).totals == told.totals
