"""Named places where a test may kill or freeze the process, one before and one after every step others could see.

`SHOPKEEL_FAILPOINT=before-table` dies where a table is about to take its name; `before-table#3` the third time,
`before-table!stop` freezes there (SIGSTOP) until continued.
"""

import os
import signal
from collections import Counter
from enum import StrEnum

VARIABLE = "SHOPKEEL_FAILPOINT"


class Step(StrEnum):
    """What changes on disk, in the order of a night; `durable` cannot change anything without naming one."""

    FENCE = "fence"  # an attempt of a task has begun, older ones may change nothing any more
    PARTITION = "partition"  # a day of a feed has landed
    THROUGH = "through"  # what has been read of a feed is known
    WORK = "work"  # an intermediate table takes its name
    NOTE = "note"  # facts for later stages are known
    MODEL = "model"  # a version stands in the model store
    VECTORS = "vectors"  # text vectors are cached
    TABLE = "table"  # a staged table takes its name
    FACTS = "facts"  # what was written is known
    MODELS = "models"  # the models behind the tables are known
    MANIFEST = "manifest"  # the staged tables are one whole
    SNAPSHOT = "snapshot"  # the whole stands among the snapshots
    UPLOAD = "upload"  # a file of the snapshot stands in the object store
    MOVE = "move"  # the object store's readers see it
    POINTER = "pointer"  # readers see it
    LOG = "log"  # the move of the pointer is noted
    REMOVAL = "removal"  # a folder is out of sight, its files not yet deleted
    TOMBSTONE = "tombstone"  # a user is on the list of the erased
    PIN = "pin"  # a snapshot stays until somebody says otherwise
    STATE = "state"  # the home says which version of the state it holds


# Not passed by every night.
ELSEWHERE = (Step.MODELS, Step.UPLOAD, Step.MOVE, Step.REMOVAL, Step.TOMBSTONE, Step.PIN, Step.STATE)
NAMES = tuple(name for step in Step for name in (f"before-{step}", f"after-{step}"))
_passed: Counter[str] = Counter()


def reached(name: str) -> None:
    """Die at once, as if killed from outside, or freeze, when the environment names this place."""
    place, _, how = os.environ.get(VARIABLE, "").partition("!")
    place, _, nth = place.partition("#")
    if place != name:
        return
    _passed[name] += 1
    if _passed[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
