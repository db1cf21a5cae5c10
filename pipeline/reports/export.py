"""Writes one campaign's audience to a file: csv, xlsx, parquet or json for marketing, hashed addresses for a platform.

Not here: who belongs to an audience and whether it may be published (`tables`, `privacy.floors`).
"""

import csv
import difflib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from pipeline.contracts.tables import AD_AUDIENCE_SUMMARY, AD_AUDIENCES
from pipeline.errors import ConfigError, DataError, Refused
from pipeline.privacy import floors, platforms
from pipeline.warehouse.snapshot import Snapshot

Format = Literal["csv", "xlsx", "parquet", "json"]
FORMATS: tuple[Format, ...] = ("csv", "xlsx", "parquet", "json")
FOLDER = "exports"  # of files made for marketing after each night, among the shop's
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
XLSX_ROWS = 1_048_576


def export_audience(
    snapshot: Snapshot, campaign: str, file_format: Format, out: Path, *, include_holdout: bool = False
) -> int:
    """Write one campaign's audience, likeliest first, and return how many users it holds.

    Args:
        snapshot: the published snapshot to read.
        campaign: a campaign id of `ad_audience_summary`.
        file_format: csv and xlsx hold neutralised text, so a spreadsheet runs none of it; parquet and json (an object a
            line) hold rows as is.
        out: the file; it appears whole or not at all.
        include_holdout: also write users held out of contact, whose contact would spoil the measurement of effect.

    Raises:
        ConfigError: unknown campaign, a folder that does not exist, or more rows than a sheet holds.
        Refused: the audience is withheld.
    """
    _demand_published(snapshot, campaign)
    rows = _audience(snapshot, campaign, include_holdout)
    write(rows, file_format, out, snapshot.manifest.day, f"audience {campaign}")
    return len(rows)


def export_plan(snapshot: Snapshot, file_format: Format, out: Path) -> list[dict[str, Any]]:
    """Write the rows of all audiences that the night's plan contacts, and return what the summary says of each plan.

    Raises:
        ConfigError: a folder that does not exist, more rows than a sheet holds, or a snapshot older than plans are.
    """
    source = dataset.dataset(snapshot.path(AD_AUDIENCES.name))
    if "is_planned" not in source.schema.names:
        raise ConfigError(f"snapshot {snapshot.id}: an older release made it, without a plan; run another night")
    rows = source.to_table(filter=dataset.field("is_planned"))
    write(
        rows.sort_by([("campaign_id", "ascending"), ("rank", "ascending")]),
        file_format,
        out,
        snapshot.manifest.day,
        "plan",
    )
    columns = ["campaign_id", "planned", "planned_value_cents", "plan_reason"]
    told: list[dict[str, Any]] = snapshot.table(AD_AUDIENCE_SUMMARY.name, columns=columns).to_pylist()
    return told


def write(rows: pa.Table, file_format: Format, out: Path, day: date, what: str) -> None:
    """Write rows to a file that appears whole or not at all.

    Args:
        rows: what to write.
        file_format: csv and xlsx hold neutralised text; parquet and json hold rows as is.
        out: the file.
        day: business day, stamped where a format asks for a time.
        what: the rows are, for messages.

    Raises:
        ConfigError: a folder that does not exist, or more rows than a sheet holds.
    """
    with _whole(what, out) as partial:
        if file_format == "csv":
            _write_csv(rows, partial)
        elif file_format == "xlsx":
            _write_xlsx(rows, partial, datetime.combine(day, time()))
        elif file_format == "json":
            lines = (json.dumps(row, default=str, ensure_ascii=False) for row in rows.to_pylist())
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        else:
            pq.write_table(rows, partial, compression="zstd")


def export_to_platform(
    snapshot: Snapshot,
    campaign: str,
    platform: str,
    addresses: Mapping[str, str],
    consenting: Collection[str],
    out: Path,
    match_rate: float,
) -> int:
    """Write the hashed addresses of one campaign's audience, in the order of the hashes, and return how many.

    Args:
        snapshot: the published snapshot to read.
        campaign: a campaign id of `ad_audience_summary`.
        platform: an ad platform.
        addresses: e-mail address by user key.
        consenting: keys of users who agree to ads now, whatever held when the snapshot was made.
        out: the file; it appears whole or not at all.
        match_rate: share of addresses the platform is assumed to know.

    Raises:
        ConfigError: unknown campaign, or a folder that does not exist.
        Refused: the audience is withheld, or too few of its users have an address for the platform.
    """
    _demand_published(snapshot, campaign)
    keys = set(_audience(snapshot, campaign, False).column("user_key").to_pylist()) & set(consenting)
    found = {platforms.hashed(addresses[key], platform) for key in keys if key in addresses}
    hashes = sorted(one for one in found if one)
    if platform not in floors.platforms_ok(len(hashes), match_rate):
        floor = floors.PLATFORM_FLOORS[platform]
        raise Refused(
            f"audience {campaign}: too few users with an address for {platform}, which asks for {floor:,} matched at "
            f"an assumed match rate of {match_rate:.0%}; widen the campaign or hand over more addresses"
        )
    header = platforms.HEADERS[platform]
    with _whole(f"audience {campaign}", out) as partial:
        partial.write_text("".join(f"{line}\n" for line in ([header] if header else []) + hashes), encoding="utf-8")
    return len(hashes)


def neutral(cell: Any) -> Any:
    """A cell no spreadsheet takes for a formula: text that starts like one gets an apostrophe in front.

    Source: OWASP, CSV Injection.
    """
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell


def _audience(snapshot: Snapshot, campaign: str, include_holdout: bool) -> pa.Table:
    wanted = dataset.field("campaign_id") == campaign
    if not include_holdout:
        wanted &= ~dataset.field("is_holdout")
    # One campaign's rows lie together in the file, so only theirs are read; the order of the table is kept.
    return dataset.dataset(snapshot.path(AD_AUDIENCES.name)).to_table(filter=wanted).sort_by("rank")


@contextmanager
def _whole(what: str, out: Path) -> Iterator[Path]:
    """A place to write to that becomes the file at the end, or is gone."""
    if not out.parent.is_dir():
        raise ConfigError(f"{what}: folder {out.parent} does not exist; create it or choose another --out")
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _demand_published(snapshot: Snapshot, campaign: str) -> None:
    columns = ["campaign_id", "is_published", "withheld_reason"]
    summary = {row["campaign_id"]: row for row in snapshot.table(AD_AUDIENCE_SUMMARY.name, columns=columns).to_pylist()}
    if campaign not in summary:
        known = difflib.get_close_matches(campaign, summary, n=3, cutoff=0.4) or sorted(summary)[:10]
        choices = f"did you mean {', '.join(known)}?" if known else "no campaign is live in this snapshot"
        raise ConfigError(f"audience {campaign}: no such campaign in snapshot {snapshot.id}; {choices}")
    if not summary[campaign]["is_published"]:
        reason = summary[campaign]["withheld_reason"]
        raise Refused(f"audience {campaign}: withheld ({reason}); widen the campaign or wait for more consenting users")


def _cells(rows: pa.Table) -> Iterator[list[Any]]:
    yield rows.column_names
    for batch in rows.to_batches(max_chunksize=10_000):
        yield from ([neutral(cell) for cell in row.values()] for row in batch.to_pylist())


def _write_csv(rows: pa.Table, out: Path) -> None:
    with out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_cells(rows))


def _write_xlsx(rows: pa.Table, out: Path, created: datetime) -> None:
    """Write one sheet; `created` is stamped into the file instead of the clock, so that equal rows give equal files."""
    if len(rows) >= XLSX_ROWS:
        raise ConfigError(f"audience: {len(rows)} rows do not fit a sheet of {XLSX_ROWS}; choose csv or parquet")
    from xlsxwriter import Workbook

    with Workbook(str(out), {"constant_memory": True}) as book:
        book.set_properties({"created": created})
        sheet = book.add_worksheet("audience")
        for line, cells in enumerate(_cells(rows)):
            _write_line(sheet, line, cells)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(rows), 1), rows.num_columns - 1)


def _write_line(sheet: Any, line: int, cells: Iterable[Any]) -> None:
    for column, cell in enumerate(cells):
        if cell is None:
            continue
        # write_string keeps text text; the general write() would make numbers, links and formulas of it.
        failed = sheet.write_string(line, column, cell) if isinstance(cell, str) else sheet.write(line, column, cell)
        if failed:
            raise DataError(f"audience: row {line}, column {column + 1} does not fit a cell; choose csv or parquet")
