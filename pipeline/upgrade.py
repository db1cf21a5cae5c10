"""Moving a home's state from one version to the next, a migration a step. Not here: what a version means (`state`).

A migration may be cut off at any point and is then run again, so each does nothing to what it has done already.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import state
from pipeline.errors import ConfigError
from pipeline.warehouse import durable, fence, snapshot
from pipeline.warehouse.failpoints import Step


@dataclass(frozen=True)
class Migration:
    """From the version before to this one.

    Attributes:
        to: the version it leads to.
        what: it does, in a sentence for people.
        move: does it to a home.
    """

    to: int
    what: str
    move: Callable[[Path], None]


def _read_manifests(home: Path) -> None:
    """See that the home is one: every manifest is readable. Nothing moved since the homes without a version.

    Raises:
        DataError: one is not.
    """
    for warehouse in sorted(home.glob("*/warehouse")):
        snapshot.history(warehouse)


MIGRATIONS = (Migration(1, "the home says which version of the state it holds", _read_manifests),)


def upgrade(home: Path) -> list[Migration]:
    """Bring a home to the version of this code; one that is there already stays as it is.

    Returns:
        What was done, in order.

    Raises:
        ConfigError: the home is newer, is none yet, or a night is at work in it.
        DataError: something in it cannot be read.
    """
    if (version := state.version_of(home)) is None:
        raise ConfigError(f"{home}: holds nothing of a shop; set SHOPKEEL_HOME to the home that is meant")
    if version > state.VERSION:
        state.accepted(home)
    due = [one for one in MIGRATIONS if one.to > version]
    for warehouse in sorted(home.glob("*/warehouse")) if due else ():
        if runs := fence.live(warehouse):
            raise ConfigError(f"{warehouse}: run {runs[0]} is at work; stop it or wait, then upgrade")
    for one in due:
        one.move(home)
        _say(home, one.to)
    return due


def begin(home: Path) -> None:
    """Let a new home say its version before anything lands in it; any other stays as it is."""
    if state.version_of(home) is None:
        _say(home, state.VERSION)


def _say(home: Path, version: int) -> None:
    durable.put(home / state.FILE, json.dumps({"version": version}) + "\n", Step.STATE)
