"""Attributes for audits alone: which code may name them, and which may ask for them. Whole nights: `tests/trust`."""

import ast
from pathlib import Path

import pytest

from pipeline.contracts.features import FEATURES
from pipeline.contracts.feeds import FEEDS
from pipeline.contracts.table import Privacy
from pipeline.contracts.tables import AUDITED, TABLES
from pipeline.stages import audited

PACKAGE = Path(audited.__file__).parents[1]
KEPT = {column.name for feed in FEEDS.values() for column in feed.landed.columns if column.privacy is Privacy.AUDIT}
# Who makes the column, and who lands it; the audits ask for it by its privacy class, through `stages.audited` alone.
MAKERS = ("contracts/", "shops/", "feeds/")
ASKS = ("contracts/", "stages/audited.py")


def sources(*but: str) -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    return [path for path in found if not path.relative_to(PACKAGE).as_posix().startswith(but)]


def named(path: Path) -> set[str]:
    """Names and texts in a source, words of its docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found | {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_there_are_such_attributes() -> None:
    assert KEPT == set(audited.ATTRIBUTES) == {"age_band", "income_band", "household_type"}


@pytest.mark.parametrize("contracts", [TABLES, FEATURES, AUDITED], ids=["published", "features", "audited"])
def test_no_feature_and_no_table_holds_one(contracts: dict) -> None:
    held = {name for table in contracts.values() for name in table.names}
    assert not held & KEPT
    assert not {column.privacy for table in contracts.values() for column in table.columns} & {
        Privacy.AUDIT, Privacy.IDENTIFIER,
    }  # fmt: skip


def test_no_code_beyond_the_shops_names_one() -> None:
    assert [path.name for path in sources(*MAKERS) if named(path) & KEPT] == []


def test_only_the_audit_asks_for_them_by_their_class() -> None:
    assert [path.name for path in sources(*ASKS) if {"Privacy", "AUDIT"} <= named(path)] == []
    assert {"Privacy", "AUDIT"} <= named(PACKAGE / "stages" / "audited.py")


def test_whoever_opens_the_users_feed_says_which_columns() -> None:
    """The feed of users is opened for consents and audits; a select of everything would take attributes along."""
    asked = [
        path.relative_to(PACKAGE).as_posix()
        for path in sources("contracts/", "shops/", "feeds/")
        if any(
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("landed")
            and any(isinstance(one, ast.Constant) and one.value == "users" for one in node.args)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert set(asked) <= {"stages/audited.py", "stages/consenting.py"}, asked
