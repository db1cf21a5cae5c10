"""Uploads that somebody mutated, and names made to harm: the process that reads them for a night lives, and is not
talked into anything."""

from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.settings import LandingSettings, load_shop
from pipeline.shops.landing import Landing
from tests.chaos.test_files import FORMS, Dock
from tests.shops.mutations import mutations
from tests.trust.conftest import Trust, counts

DAY = date(2020, 3, 1)
NAMES = (
    "'; DROP TABLE events; --", '"; COPY (SELECT 1) TO \'/tmp/x\'; --', "../../../etc/passwd", "/etc/shadow",
    "$(touch x)", "`id`", "%s%n{0}{{", "\\\\host\\share", "{{7*7}}", "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0", "\u202egnp.exe", "ＮＵＬ", "CON", "a" * 5000, "read_parquet('/etc/passwd')",
    "' UNION SELECT secret FROM users --", "💣", "\t", " ",
)  # fmt: skip


@pytest.fixture
def dock(tmp_path: Path, connection: Any) -> Iterator[Dock]:
    made = Dock(tmp_path / "drops", connection)
    yield made
    made.source.intake.parser.close()


def test_mutated_uploads_never_end_the_reader(dock: Dock, trust: Trust) -> None:
    tried = counted = refused = 0
    for seed, (name, whole) in enumerate(FORMS.items()):
        for changed in islice(mutations(whole(), 7000 + 1000 * seed), counts(3, 250)):
            tried += 1
            arrived = dock.bring(name, changed)
            places = arrived.rows.select("origin").to_pyarrow().column("origin").to_pylist()
            counted += len(set(places)) == len(places) and not (places and arrived.refused)
            refused += bool(arrived.refused)
    trust.all_of("mutated files that the reader outlives", counted, tried, f"{refused} refused, the others counted")


def test_names_made_to_harm_are_words_like_others(tmp_path: Path, connection: Any, trust: Trust) -> None:
    """As users, items and columns, in every form; what comes out is what went in."""
    limits = LandingSettings(path=str(tmp_path / "drops"), memory_gib=1, seconds_per_file=60)
    shop = load_shop("grocer").model_copy(update={"adapter": "landing", "landing": limits, "first_day": DAY})
    folder = tmp_path / "drops" / "events" / f"ds={DAY}"
    folder.mkdir(parents=True)
    rows = {
        "event_id": [f"e{n}" for n in range(len(NAMES))],
        "user_id": list(NAMES), "item_id": list(NAMES), "query": list(NAMES),
        "ts": ["2020-03-01T10:00:00Z"] * len(NAMES), "kind": ["search"] * len(NAMES),
    }  # fmt: skip
    columns = {name: ["x"] * len(NAMES) for name in NAMES if name.strip() and name.isprintable() and len(name) < 100}
    pq.write_table(pa.table(rows | columns), folder / "named.parquet")
    source = Landing(shop, connection)
    before = sorted(path.name for path in Path.cwd().iterdir())
    try:
        arrived = source.arrivals("events", None, DAY, {})
        assert arrived is not None and not arrived.refused, arrived and arrived.refused
        read = arrived.rows.select("event_id", "user_id", "item_id", "query").to_pyarrow().to_pylist()
    finally:
        source.intake.parser.close()
    told = {row["event_id"]: (row["user_id"], row["item_id"], row["query"]) for row in read}
    same = sum(told.get(f"e{n}") == (name, name, name) for n, name in enumerate(NAMES))
    assert sorted(path.name for path in Path.cwd().iterdir()) == before
    trust.all_of("hostile names that stay words", same, len(NAMES), "as users, items, queries and columns")
