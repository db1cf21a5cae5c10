"""The audience file: who is in it, and that no spreadsheet runs what it holds."""

import csv
import json
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.contracts.tables import TABLES
from pipeline.errors import ConfigError, DataError, Refused
from pipeline.reports import export
from pipeline.reports.export import FORMATS, FORMULA_STARTS, export_audience, export_plan, neutral
from pipeline.warehouse.commit import Requirements, commit
from pipeline.warehouse.snapshot import Snapshot, open_snapshot
from pipeline.warehouse.staging import Staging

DAY = date(2017, 11, 30)


def publish(root: Path, reasons: list[str], holdout: int = 1) -> Snapshot:
    """A snapshot whose campaign 18 has a user a reason, the one at place `holdout` held out; 26 is withheld."""
    audience = [
        {
            "campaign_id": campaign,
            "rank": rank,
            "user_key": f"{rank:032x}",
            "propensity": 0.5,
            "uplift": None,
            "decile": 1,
            "expected_value_cents": -1.5,
            "is_holdout": rank == holdout,
            "is_planned": rank != holdout and campaign == "18",
            "in_since": DAY,
            "reason": reason,
        }
        for campaign in ("17", "18")
        for rank, reason in enumerate(reasons, 1)
    ]
    summary = [
        {
            "campaign_id": campaign,
            "campaign_name": "C",
            "starts_on": DAY,
            "ends_on": DAY,
            "size": 1,
            "min_size": 1,
            "expected_responses": 1.0,
            "is_published": campaign != "26",
            "withheld_reason": "61 users, under 100" if campaign == "26" else None,
            "cost_per_contact_cents": 5.0,
            "spent_cents": 0.0,
            "planned": 1,
            "planned_cost_cents": 5.0,
            "planned_responses": 0.5,
            "planned_value_cents": 40.0,
        }
        for campaign in ("17", "18", "26")
    ]
    staging = Staging.open(root, DAY, "night", fresh=True)
    for name, rows in {"ad_audiences": audience, "ad_audience_summary": summary}.items():
        staging.write(TABLES[name], pa.Table.from_pylist(rows, TABLES[name].schema))
    requires = Requirements(current=None, verdict_passed=True, tables=frozenset())
    commit(
        root,
        staging,
        shop="grocer",
        day=DAY,
        parent=None,
        models={},
        policy_hash="p",
        code_version="v",
        requires=requires,
    )
    return open_snapshot(root)


@pytest.fixture
def snapshot(tmp_path):
    return publish(tmp_path / "warehouse", ["buys tea", '=HYPERLINK("http://x")', "@SUM(1)", 'a, "quoted"\nline'])


def read(path: Path) -> list[list[object]]:
    """Rows of an exported file, header first."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))
    if path.suffix == ".xlsx":
        return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]
    if path.suffix == ".json":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [[*rows[0]], *([*row.values()] for row in rows)]
    table = pq.read_table(path)
    return [table.column_names, *([*row.values()] for row in table.to_pylist())]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("include", "ranks"), [(False, [2, 3, 4]), (True, [1, 2, 3, 4])])
def test_one_campaign_likeliest_first_without_holdout(snapshot, tmp_path, kind, include, ranks):
    out = tmp_path / f"a.{kind}"
    assert export_audience(snapshot, "18", kind, out, include_holdout=include) == len(ranks)
    header, *rows = read(out)
    assert header == TABLES["ad_audiences"].names
    assert [int(row[header.index("rank")]) for row in rows] == ranks
    assert {str(row[0]) for row in rows} == {"18"}
    assert {float(row[header.index("expected_value_cents")]) for row in rows} == {-1.5}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_files_for_spreadsheets_hold_no_formula(snapshot, tmp_path, kind):
    out = tmp_path / f"a.{kind}"
    export_audience(snapshot, "18", kind, out)
    reasons = [row[-1] for row in read(out)[1:]]
    assert reasons == ['\'=HYPERLINK("http://x")', "'@SUM(1)", 'a, "quoted"\nline']


def test_xlsx_keeps_text_text_and_numbers_numbers(snapshot, tmp_path):
    export_audience(snapshot, "18", "xlsx", tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    kinds = {sheet.cell(1, column).value: sheet.cell(2, column).data_type for column in range(1, sheet.max_column + 1)}
    assert (kinds["campaign_id"], kinds["rank"], kinds["is_holdout"], kinds["reason"]) == ("s", "n", "b", "s")


def test_parquet_holds_rows_as_they_are(snapshot, tmp_path):
    export_audience(snapshot, "18", "parquet", tmp_path / "a.parquet", include_holdout=True)
    mine = snapshot.table("ad_audiences").filter(pa.compute.field("campaign_id") == "18")
    assert pq.read_table(tmp_path / "a.parquet").equals(mine)


@pytest.mark.parametrize("kind", FORMATS)
def test_same_audience_gives_the_same_bytes_and_leaves_no_partial_file(snapshot, tmp_path, kind):
    out = tmp_path / "out"
    out.mkdir()
    export_audience(snapshot, "18", kind, out / "one")
    export_audience(snapshot, "18", kind, out / "two")
    assert (out / "one").read_bytes() == (out / "two").read_bytes()
    assert {path.name for path in out.iterdir()} == {"one", "two"}


def test_withheld_and_unknown_audiences_are_refused(snapshot, tmp_path):
    with pytest.raises(Refused, match="61 users, under 100"):
        export_audience(snapshot, "26", "csv", tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="did you mean 1"):
        export_audience(snapshot, "1", "csv", tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="create it"):
        export_audience(snapshot, "18", "csv", tmp_path / "none" / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_what_a_sheet_cannot_hold_is_refused_and_the_old_file_stays(snapshot, tmp_path, monkeypatch):
    out = tmp_path / "a.xlsx"
    out.write_text("old")
    monkeypatch.setattr(export, "XLSX_ROWS", 3)
    with pytest.raises(ConfigError, match="choose csv or parquet"):
        export_audience(snapshot, "18", "xlsx", out)
    long = publish(tmp_path / "other", ["fine", "x" * 40_000])
    monkeypatch.undo()
    with pytest.raises(DataError, match="does not fit a cell"):
        export_audience(long, "18", "xlsx", out)
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*xlsx*")] == ["a.xlsx"]


TEXT = st.text() | st.builds(str.__add__, st.sampled_from(FORMULA_STARTS), st.text())


@given(TEXT)
@example("=1+1")
@example("\t=1+1")
def test_no_text_stays_a_formula_and_harmless_text_stays_as_it_is(text):
    safe = neutral(text)
    assert not safe.startswith(FORMULA_STARTS)
    assert safe.removeprefix("'") == text or safe == text
    assert neutral(safe) == safe


@pytest.mark.parametrize("cell", [-1, -0.5, None, True, date(2017, 11, 30)])
def test_what_is_no_text_is_left_alone(cell):
    assert neutral(cell) is cell


@given(st.lists(TEXT.filter(lambda text: "\0" not in text), min_size=1, max_size=5))
def test_csv_survives_any_text(tmp_path_factory, texts):
    out = tmp_path_factory.mktemp("csv") / "a.csv"
    export._write_csv(pa.table({"reason": texts}), out)
    header, *rows = read(out)
    assert (header, rows) == (["reason"], [[neutral(text)] for text in texts])


def test_the_plan_holds_the_planned_rows_of_all_campaigns_alone(tmp_path):
    source = publish(tmp_path, ["a", "b", "=c"], holdout=2)
    told = export_plan(source, "csv", tmp_path / "plan.csv")
    with (tmp_path / "plan.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["campaign_id"], row["rank"], row["reason"]) for row in csv.DictReader(file)]
    assert rows == [("18", "1", "a"), ("18", "3", "'=c")]
    assert [row["campaign_id"] for row in told] == ["17", "18", "26"]
    assert not (tmp_path / ".plan.csv").exists()
