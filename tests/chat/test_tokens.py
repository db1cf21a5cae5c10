"""Tokens: of one user, one snapshot and one shop's secret, and of nothing else."""

import pytest

from pipeline.chat import tokens
from pipeline.errors import ConfigError
from tests.small_shop import ANN, BOB

SECRET, SNAPSHOT = bytes(32), "2017-11-30-abcdef012345"


def test_a_token_names_its_user():
    assert tokens.user_of(SECRET, tokens.issue(SECRET, ANN, SNAPSHOT), SNAPSHOT) == ANN


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", ANN, f"{ANN}.{SNAPSHOT}.", f"{ANN}.{SNAPSHOT}.00", tokens.issue(b"1" * 32, ANN, SNAPSHOT),
        tokens.issue(SECRET, ANN, "2017-11-29-abcdef012345"), tokens.issue(SECRET, ANN, SNAPSHOT).replace(ANN, BOB),
        tokens.issue(SECRET, ANN, SNAPSHOT) + "0", tokens.issue(SECRET, ANN, SNAPSHOT).replace("11-30", "11-29"),
        "é" * 40,
    ],
)  # fmt: skip
def test_every_other_token_is_refused_without_saying_why(token):
    with pytest.raises(ConfigError, match="not one of this shop's current snapshot") as refused:
        tokens.user_of(SECRET, token, SNAPSHOT)
    assert BOB not in str(refused.value)
