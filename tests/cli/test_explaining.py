"""The command that says why: what it prints of what is found, and whom it refuses."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import NoData
from pipeline.features.responses import NAMES
from pipeline.metrics.shapley import Shares
from pipeline.models.what_if import Attribution
from pipeline.stages import why
from tests.cli.conftest import KEYS

SHOWN = {"surface": "home", "rank": 2, "change_cause": "kept", "reason": "You bought it twice"}
SHARES = Shares(np.array([0.5, 1.25, -0.25]), np.array([0, 0, 0.125]), -2.0, -0.5)
CHANCES = np.array([0.01, 0.06, 0.075])
PLAYERS = (np.array([4]), np.array([7]), np.arange(20, 25))


def told(**other: object) -> why.Reason:
    found = Attribution(PLAYERS, SHARES, np.array([3, 0, 1]), 1, 200)
    parts = {"repeat": 0.75, "popular": -0.5}
    titles = [["Milk"], ["Bread [fine]"], ["a", "b", "c", "d", "e"]]
    facts = {"title": "Milk", "shown": [SHOWN], "parts": parts, "words": "You bought it twice", "shares": found}
    return why.Reason(**facts | {"players": titles, "unread": ""} | other)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the command asks for."""
    asked: list[tuple[object, ...]] = []

    def of_item(night: object, pinned: object, *words: object) -> why.Reason:
        asked.append(words)
        return told()

    monkeypatch.setattr(why, "of_item", of_item)
    return asked


def test_history_is_told_largest_first_with_what_would_be_without(shopkeel, publish, asked) -> None:
    publish("2017-11-30")
    result = shopkeel("explain", "--user", "101", "--item", "i1", "--most", 3)
    assert result.exit_code == 0, result.stderr
    assert asked == [(KEYS["101"], "i1", 3)]
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "Milk" and "home 2 kept You bought it twice" in lines
    assert "ranked by the models alone rank 1" in lines
    history = lines[lines.index("history adds (log-odds) +- without it") + 1 :]
    assert history == [
        "Bread [fine] +1.250 exact beyond rank 200", "Milk +0.500 exact rank 3",
        "a, b, c and 2 more -0.250 0.125 rank 1", "with no history -2.000", "with all of it -0.500",
    ]  # fmt: skip


def test_where_nothing_is_read_nothing_is_made_up(shopkeel, publish, monkeypatch) -> None:
    publish("2017-11-30")
    silent = told(shares=None, parts={}, players=[], shown=[], words="", unread="the user has bought nothing yet")
    monkeypatch.setattr(why, "of_item", lambda *_: silent)
    result = shopkeel("explain", "--user", KEYS["102"], "--item", "i1")
    assert "on none of the user's lists" in result.stdout and "has bought nothing yet" in result.stdout
    assert "log-odds" not in result.stdout


def test_of_a_campaign_features_are_told(shopkeel, publish, monkeypatch) -> None:
    publish("2017-11-30")
    row = {"rank": 1, "propensity": 0.125, "uplift": None, "is_holdout": False, "reason": "Shops often"}
    told = why.Contacted([row], dict.fromkeys(NAMES[:2], 0.25), SHARES, [["Milk"], ["Tea"], ["Soap"]], CHANCES, 0.0625)
    monkeypatch.setattr(why, "of_campaign", lambda *_: told)
    result = shopkeel("explain", "--user", "101", "--campaign", "18")
    assert result.exit_code == 0, result.stderr
    assert "shopped lately" in result.stdout and "+0.500 against the average contact" in result.stdout
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "Tea +1.250 exact 6.00%" in lines and "Soap -0.250 0.125 7.50%" in lines
    assert lines[-1] == "chance of a response by the end 6.25%"


@pytest.mark.parametrize("words", [(), ("--item", "i1", "--campaign", "18")])
def test_one_thing_is_asked(shopkeel, publish, words) -> None:
    publish("2017-11-30")
    result = shopkeel("explain", "--user", "101", *words)
    assert result.exit_code == 2 and "either --item or --campaign" in result.stderr


def test_of_an_audience_that_the_user_is_not_in_nothing_is_told(shopkeel, publish, home: Path) -> None:
    publish("2017-11-30")
    result = shopkeel("explain", "--user", "101", "--campaign", "26")
    assert result.exit_code == NoData.exit_code and "no published audience" in result.stderr
