"""One attempt of a task that may become an orphan: what it does, and what it tells the test in small files."""

import json
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline import nightly
from pipeline.errors import ShopkeelError
from pipeline.settings import Night
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.staging import Staging
from tests.warehouse.conftest import PRICES, USERS, House

PATIENCE = 240  # seconds; past the heartbeats' time-out and a queue on a busy machine


def tell(folder: Path, name: str, **facts: object) -> None:
    """Put a file there whole."""
    partial = folder / f".{name}.{os.getpid()}"
    partial.write_text(json.dumps(facts | {"at": time.monotonic()}))
    partial.replace(folder / name)


def attempt(night: Night, index: int, number: int) -> str:
    """Run the stage `publish` of a small night in a home of its own; tell how it ended.

    Args:
        night: shop, day and run.
        index: which home.
        number: from 1; what is published says which attempt it is of.

    Raises:
        ShopkeelError: as the stage ended.
    """
    night = replace(night, home=night.home / "orphans" / night.run / str(index))
    night.root.mkdir(parents=True, exist_ok=True)
    dice = random.Random(f"{index} {number}")

    def run(night: Night, *_: object) -> dict[str, Any]:
        tell(night.root, f"began-{number}", task=os.getpid(), supervisor=os.getppid())
        rows = House(night.warehouse).rows(price=float(number))
        staging = Staging.open(night.warehouse, night.day, night.run)
        time.sleep(dice.random() / 2)
        staging.write(PRICES, rows["prices"])
        end = time.monotonic() + PATIENCE
        while number == 1 and not (night.root / "began-2").exists() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(dice.random())
        staging.write(USERS, rows["users"])
        time.sleep(dice.random() / 2)
        manifest = commit(
            night.warehouse, staging, shop="corner", day=night.day, parent=None, models={}, policy_hash="policy",
            code_version="1.0", requires=Requirements(None, True, frozenset({"prices", "users"})),
        )  # fmt: skip
        return {"snapshot": manifest.snapshot}

    sys.modules["pipeline.stages.publish"] = SimpleNamespace(run=run)  # type: ignore[assignment]
    try:
        snapshot: str = nightly.run_stage(night, "publish")["snapshot"]
    except ShopkeelError as error:
        tell(night.root, f"ended-{number}", said=type(error).__name__, error=str(error))
        raise
    tell(night.root, f"ended-{number}", said="committed", snapshot=snapshot)
    return snapshot
