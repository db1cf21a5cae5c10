"""Groups of people: planted gaps and leaks are refused, absent ones and small groups are not."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audit import groups
from pipeline.policy import load_policy

RULES = load_policy("default").audit
LEAST = RULES.least_group
KEYS = [f"{n:032x}" for n in range(900)]


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    ages = np.array(["19-24", "25-34", "65+"], object)[rng.choice(3, len(KEYS), p=[0.02, 0.5, 0.48])]
    return pd.DataFrame({"age_band": ages, "household_type": [None] * len(KEYS)}, index=KEYS)


def measured(people: pd.DataFrame, shift: float) -> dict[str, pd.Series]:
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(0.3, 0.1, len(KEYS)), KEYS)
    return {"accuracy": values + shift * (people.age_band == "65+"), "stability": values[:10]}


@pytest.mark.parametrize(("shift", "violations"), [(0.0, 0), (0.2, 2), (-0.2, 2)])
def test_a_group_that_surely_fares_otherwise_is_found(people: pd.DataFrame, shift: float, violations: int) -> None:
    compared = groups.compare(people, measured(people, shift), LEAST)
    assert {one.found.group for one in compared} == {"25-34", "65+"}, "18 people are no group"
    accuracy, calibration, stability = groups.gap_findings(compared, RULES)
    assert (accuracy.cases, accuracy.violations) == (2, violations)
    assert ("beyond: age_band" in accuracy.sentence) == bool(violations)
    assert (calibration.sentence, stability.sentence) == (groups.NO_GROUP, groups.NO_GROUP)


def test_nobody_known_is_no_pass(people: pd.DataFrame) -> None:
    none = groups.compare(people.iloc[:0], measured(people, 1), LEAST)
    assert [one.cases for one in groups.gap_findings(none, RULES)] == [0, 0, 0]
    assert groups.leak_finding(groups.leaks(people.iloc[:0], members(people, 0), LEAST), RULES).cases == 0


def members(people: pd.DataFrame, share: float) -> pd.DataFrame:
    """Two audiences by chance; a share of the first by age."""
    rng = np.random.default_rng(4)
    by_chance = rng.random((len(KEYS), 2)) < 0.4
    by_age = (people.age_band == "65+").to_numpy() if len(people) else np.zeros(len(KEYS), bool)
    by_chance[:, 0] = np.where(rng.random(len(KEYS)) < share, by_age, by_chance[:, 0])
    return pd.DataFrame(by_chance, index=KEYS, columns=["18", "20"])


@pytest.mark.parametrize(("share", "beyond"), [(0.0, False), (0.8, True)])
def test_audiences_that_tell_an_attribute_are_found(people: pd.DataFrame, share: float, beyond: bool) -> None:
    told = groups.leaks(people, members(people, share), LEAST)
    assert {one.group for one in told} == {"25-34", "65+"}
    found = groups.leak_finding(told, RULES)
    assert bool(found.violations) == beyond == ("beyond" in found.sentence)


def test_people_who_may_be_in_no_audience_and_unknown_ones_do_not_count(people: pd.DataFrame) -> None:
    some = people.copy()
    some.loc[KEYS[:100], "age_band"] = None
    (told, _) = groups.leaks(some.iloc[50:], members(people, 0).iloc[:800], LEAST)
    assert told.found.users == 700
