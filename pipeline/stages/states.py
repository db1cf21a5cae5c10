"""What a version's transformer reads of users, left by the task that ranks first for the one that completes baskets.

Reading is a fifth of what ranking a user costs, and both ask for the same. Not here: the reading (`models.sequential`).
"""

from pathlib import Path
from zlib import crc32

from safetensors import safe_open
from safetensors.numpy import save_file

from pipeline.models.recommendations import Knowledge
from pipeline.models.sequential import States, Ways
from pipeline.settings import Night
from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

NAME, OF = "states", "purchases"


def recall(night: Night, version: str, known: Knowledge) -> None:
    """Take over what was left of the same purchases by the same version, if anything was."""
    states, path = _states(known), _path(night, version)
    if path.is_file():
        with safe_open(path, "numpy") as file:
            if file.metadata()[OF] == _purchases(states):
                states.found[:] = file.get_tensor(NAME)


def leave(night: Night, version: str, known: Knowledge) -> None:
    """Leave what was read of users; nothing stands for who was not asked for."""
    states = _states(known)
    with durable.filled(_path(night, version), Step.WORK) as target:
        save_file({NAME: states.found}, target, {OF: _purchases(states)})


def _states(known: Knowledge) -> States:
    (states,) = (way.states for way in known.read if isinstance(way, Ways) and isinstance(way.states, States))
    return states


def _purchases(states: States) -> str:
    """Tells the purchases that are read from any others."""
    lines = states.lines
    return "-".join(str(crc32(one.tobytes())) for one in (lines.item, lines.start))


def _path(night: Night, version: str) -> Path:
    return night.work / f"{NAME}-{version}.safetensors"
