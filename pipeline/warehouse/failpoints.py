"""Named places where a test may kill the process, one before and one after every step that others could see."""

import os
import signal
from enum import StrEnum

VARIABLE = "SHOPKEEL_FAILPOINT"


class Step(StrEnum):
    """What changes on disk, in the order of a night; `durable` cannot change anything without naming one."""

    PARTITION = "partition"  # a day of a feed has landed
    THROUGH = "through"  # what has been read of a feed is known
    TABLE = "table"  # a staged table takes its name
    FACTS = "facts"  # what was written is known
    MODELS = "models"  # the models behind the tables are known
    MANIFEST = "manifest"  # the staged tables are one whole
    SNAPSHOT = "snapshot"  # the whole stands among the snapshots
    POINTER = "pointer"  # readers see it
    LOG = "log"  # the move of the pointer is noted
    REMOVAL = "removal"  # a snapshot is out of sight, its files not yet deleted


NAMES = tuple(name for step in Step for name in (f"before-{step}", f"after-{step}"))


def reached(name: str) -> None:
    """Die at once, as if killed from outside, when the environment names this place."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
