"""A warehouse of two small tables, and nights in it: in this process or in one that may be killed."""

import ast
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

import pipeline
from pipeline.contracts.table import Column, Table
from pipeline.warehouse.bucket import Bucket
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.manifest import Manifest
from pipeline.warehouse.snapshot import pointer
from pipeline.warehouse.staging import Staging

ITEM, PRICE = Column("item", pa.string(), "Item."), Column("price", pa.float64(), "Price.")
USER, SPREAD = Column("user_key", pa.string(), "User."), Column("spread", pa.list_(pa.float32()), "Numbers.")
PRICES = Table("prices", "one item", "Prices.", (ITEM, PRICE), ("item",), ("item",), "owner")
USERS = Table("users", "one user", "Users.", (USER, SPREAD), ("user_key",), ("user_key",), "owner")


@dataclass(frozen=True)
class House:
    """A warehouse's root, and shorthands for what a night does to it."""

    root: Path
    prices: Table = PRICES
    users: Table = USERS
    bucket: Bucket | None = None

    def day(self, number: int) -> date:
        return date(2020, 1, number)

    def rows(self, price: float = 1.0) -> dict[str, pa.Table]:
        return {
            "prices": pa.table({"item": ["b", "a", "c"], "price": [price, 2.0, None]}),
            "users": pa.table({"user_key": ["v", "u"], "spread": [[1.0, 2.0], [3.0]]}, USERS.schema),
        }

    def stage(self, day: int, price: float = 1.0, run: str = "night") -> Staging:
        staging = Staging.open(self.root, self.day(day), run, fresh=True)
        for contract in (PRICES, USERS):
            staging.write(contract, self.rows(price)[contract.name])
        return staging

    def commit(self, staging: Staging, **changed: object) -> Manifest:
        """Commit as if CURRENT had been `seen` at the start (when left out: as it is now)."""
        now = pointer(self.root)
        given = {"seen": now, "parent": now, "passed": True, "tables": ("prices", "users"), "models": {"ranker": "v1"}}
        seen, parent, passed, tables, models = (given | changed).values()
        return commit(
            self.root,
            staging,
            shop="corner",
            day=staging.day,
            parent=parent,
            models=models,
            policy_hash="policy",
            code_version="1.0",
            requires=Requirements(seen, passed, frozenset(tables)),
            bucket=self.bucket,
        )

    def publish(self, day: int, price: float = 1.0, run: str = "night") -> str:
        """A whole night; gives the snapshot's id."""
        return self.commit(self.stage(day, price, run)).snapshot

    def process(self, *words: object, failpoint: str = "") -> subprocess.Popen[str]:
        """The same night in a process of its own; see one_night.py for the words."""
        script = Path(__file__).with_name("one_night.py")
        path = os.pathsep.join((str(Path(pipeline.__file__).parents[1]), str(script.parent)))
        return subprocess.Popen(
            [sys.executable, str(script), str(self.root), *map(str, words)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path, "SHOPKEEL_FAILPOINT": failpoint},
        )

    def files(self) -> dict[str, bytes]:
        """Every published file and its bytes."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted((self.root / "snapshots").rglob("*"))
            if path.is_file()
        }


def steps(*modules: Path) -> list[Step]:
    """The steps that modules take."""
    nodes = [node for path in modules for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Step"}
    return [step for step in Step if step.name in named]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "warehouse")
