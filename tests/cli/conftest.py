"""A tiny published shop, made by the real writer, and a way to call the command line on it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.contracts.tables import TABLES
from pipeline.privacy.keys import user_key
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.manifest import Manifest
from pipeline.warehouse.snapshot import pointer
from pipeline.warehouse.staging import Staging

SECRET = bytes(range(32))
USERS = ("101", "102", "103")
KEYS = {user: user_key(SECRET, user) for user in USERS}


def blank(table: str, **values: object) -> dict[str, object]:
    """One row of a table: the values given, and the plainest that fits everywhere else that must not be null."""
    plain = {"string": "x", "int32": 1, "int64": 1, "double": 0.5, "bool": False, "date32[day]": date(2017, 11, 30)}
    plain["list<item: double>"] = [0.5]
    row = {f.name: None if f.nullable else plain[str(f.type)] for f in TABLES[table].schema}
    return row | values


def shop_rows() -> dict[str, list[dict[str, object]]]:
    """Rows of three users, three items, one campaign published and one withheld; tables left out here are empty."""
    return {
        "recommendations": [
            blank(
                "recommendations",
                user_key=key,
                surface=surface,
                rank=rank,
                item_id=f"i{rank}",
                reason="[bold] goes well",
            )
            for key in KEYS.values()
            for surface in ("home", "email")
            for rank in (1, 2, 3)
        ],
        "cart_recommendations": [
            blank("cart_recommendations", context="item", context_id="i1", rank=1, item_id="i2"),
            blank("cart_recommendations", context="item", context_id="i2", rank=1, item_id="i1"),
            blank("cart_recommendations", context="basket", context_id=KEYS["101"], rank=1, item_id="i3"),
        ],
        "ad_audiences": [
            blank(
                "ad_audiences",
                campaign_id="18",
                rank=rank,
                user_key=KEYS[user],
                is_holdout=user == "102",
                reason=reason,
            )
            for rank, (user, reason) in enumerate(zip(USERS, ("=1+1", "likes tea", '-buys; "bread"'), strict=True), 1)
        ],
        "ad_audience_summary": [
            blank("ad_audience_summary", campaign_id="18", is_published=True, size=2),
            blank(
                "ad_audience_summary",
                campaign_id="26",
                is_published=False,
                withheld_reason="61 users, under the floor of 100",
            ),
        ],
        "user_profiles": [
            blank(
                "user_profiles",
                user_key=key,
                embedding=[0.5] * 12,
                category_affinities=[{"name": "tea", "share": 0.25, "baskets": 3}],
            )
            for key in KEYS.values()
        ],
        "page_layouts": [
            blank("page_layouts", user_key=key, surface=surface, slot=slot, module=module, default_slot=slot)
            for key in KEYS.values()
            for surface in ("cart", "home")
            for slot, module in enumerate(("offers", "buy_again"), start=1)
        ],
        "run_status": [blank("run_status", table_name=name, status="produced") for name in TABLES],
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and output wide enough that nothing wraps."""
    monkeypatch.setenv("SHOPKEEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHOPKEEL_USER_KEY", SECRET.hex())
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


@pytest.fixture
def shopkeel(home: Path) -> Callable[..., Result]:
    """Call the command line."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def publish(home: Path) -> Callable[[str], Manifest]:
    """Publish a day's snapshot; days differ in one score."""

    def _publish(day: str) -> Manifest:
        root, tables = home / "grocer" / "warehouse", shop_rows()
        staging = Staging.open(root, date.fromisoformat(day), "night", fresh=True)
        tables["user_profiles"][0]["recency_days"] = int(day[-2:])
        for name, contract in TABLES.items():
            staging.write(contract, pa.Table.from_pylist(tables.get(name, []), contract.schema))
        now = pointer(root)
        return commit(
            root,
            staging,
            shop="grocer",
            day=date.fromisoformat(day),
            parent=now,
            models={},
            policy_hash="p",
            code_version="v",
            requires=Requirements(current=now, verdict_passed=True, tables=frozenset(TABLES)),
        )

    return _publish
