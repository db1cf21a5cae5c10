"""Commands that read published tables: tables, path, show, audience, deliver, plan."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import ShopOption, SnapshotOption, a_night, app, out, print_table, size, unknown
from pipeline.errors import ConfigError, NoData, ShopkeelError
from pipeline.settings import Night

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

    from pipeline.warehouse.snapshot import Snapshot

PANEL = "Read"
WIDE = 9  # tables with more columns are printed row by row
LONG = 8  # longer lists of numbers are counted, not printed


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel tables")
def tables(shop: ShopOption = "grocer", snapshot: SnapshotOption = None) -> None:
    """List the tables of the current snapshot: rows, bytes, and what one row is."""
    from pipeline.contracts.tables import TABLES

    pinned = pin(a_night(shop), snapshot)
    out.print(f"snapshot {pinned.id} of {pinned.manifest.day}")
    files = pinned.manifest.tables
    rows = [(name, f"{file.rows:,}", size(file.bytes), TABLES[name].grain) for name, file in files.items()]
    print_table(("table", "rows", "bytes", "one row is"), rows, right=("rows", "bytes"))


@app.command(rich_help_panel=PANEL, epilog="Example: duckdb -c \"from '$(shopkeel path recommendations)' limit 5\"")
def path(
    table: Annotated[str | None, typer.Argument(help="A table; the snapshot's folder when left out.")] = None,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Print where a table's file, or the snapshot, lies."""
    pinned = pin(a_night(shop), snapshot)
    typer.echo(pinned.path(known_table(pinned, table)) if table else pinned.folder)


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel show recommendations --user 1228 --limit 10")
def show(
    table: Annotated[str, typer.Argument(help="A table of the snapshot (see `shopkeel tables`).")],
    user: Annotated[str | None, typer.Option(help="Rows of this user: the shop's own user id, or a user key.")] = None,
    item: Annotated[str | None, typer.Option(help="Rows about this item.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Rows of this campaign.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Show rows of a table; only the rows asked for are read."""
    import pyarrow.dataset as dataset
    from pyarrow.compute import scalar

    night = a_night(shop)
    pinned = pin(night, snapshot)
    source = dataset.dataset(pinned.path(known_table(pinned, table)))
    key = None if user is None else key_of(night, user)
    equal = equalities(table, source.schema.names, key, item, campaign)
    # Filters reach into the file: row groups sorted by another user or campaign are never decoded.
    condition = reduce(and_, (dataset.field(column) == value for column, value in equal.items()), scalar(True))
    found = source.count_rows(filter=condition)
    if equal and not found:
        raise nothing(source, table, equal, user)
    rows = source.head(limit, filter=condition).to_pylist()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str, ensure_ascii=False))
        return
    print_rows(source.schema.names, rows)
    if found > len(rows):
        out.print(f"{len(rows)} of {found:,} rows; --limit shows more", style="dim")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel audience 18 --format csv --out campaign_18.csv")
def audience(
    campaign: Annotated[str, typer.Argument(help="A campaign of ad_audience_summary.")],
    to: Annotated[Path, typer.Option("--out", help="The file to write; replaced when it is there.")],
    file_format: Annotated[
        str | None, typer.Option("--format", help="csv, xlsx, parquet or json.", show_default="by FILE")
    ] = None,
    include_holdout: Annotated[
        bool, typer.Option("--include-holdout", help="Also users held out of contact to measure the effect.")
    ] = False,
    platform: Annotated[
        str | None, typer.Option(help="Hashed addresses for an ad platform: google, meta, linkedin, tiktok, …")
    ] = None,
    addresses: Annotated[
        Path | None, typer.Option(help="For a platform: CSV of user_id and email; read, hashed and kept nowhere.")
    ] = None,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Write one campaign's audience to a file; the hold-out is left out, a withheld audience is refused."""
    from pipeline import delivery
    from pipeline.privacy.floors import PLATFORM_FLOORS
    from pipeline.reports.export import FORMATS, export_audience
    from pipeline.warehouse.snapshot import pinned

    night = a_night(shop)
    if platform or addresses:
        if platform not in PLATFORM_FLOORS:
            raise unknown("platform", platform or "", PLATFORM_FLOORS)
        if addresses is None or include_holdout or file_format:
            raise ConfigError(f"--platform {platform}: takes --addresses, and neither --format nor --include-holdout")
        with pinned(night.warehouse, snapshot) as source:
            rows = delivery.to_platform(night, source, campaign, platform, addresses, to)
        typer.echo(f"{rows:,} hashed addresses of campaign {campaign} for {platform} in {to}")
        return
    chosen = next((known for known in FORMATS if known == (file_format or to.suffix.removeprefix("."))), None)
    if chosen is None:
        raise ConfigError(f"--format '{file_format or to.suffix}': unknown; choose one of {', '.join(FORMATS)}")
    with pinned(night.warehouse, snapshot) as source:
        rows = export_audience(source, campaign, chosen, to, include_holdout=include_holdout)
    typer.echo(f"{rows:,} users of campaign {campaign} in {to}")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel deliver --orders marketing/exports.yaml")
def deliver(
    orders: Annotated[
        Path | None, typer.Option(help="What to write, as YAML.", show_default="exports.yaml among the shop's files")
    ] = None,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Write every audience file that an orders file asks for; a rerun on the same snapshot changes nothing."""
    from pipeline import delivery

    told = delivery.deliver(a_night(shop), snapshot, orders)
    rows = [(name, facts.get("rows", ""), facts.get("refused", "written")) for name, facts in told["files"].items()]
    print_table(("file", "rows", "outcome"), rows, right=("rows",))
    typer.echo(told["folder"])


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel plan --out plan.xlsx")
def plan(
    to: Annotated[Path, typer.Option("--out", help="The file to write: csv, xlsx, parquet or json by its name.")],
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Write the night's plan: whom to contact by which campaign, under its budget and the cap of contacts a user."""
    from pipeline.reports.export import FORMATS, export_plan
    from pipeline.warehouse.snapshot import pinned

    chosen = next((known for known in FORMATS if known == to.suffix.removeprefix(".")), None)
    if chosen is None:
        raise ConfigError(f"--out '{to}': name it .{', .'.join(FORMATS)}")
    night = a_night(shop)
    with pinned(night.warehouse, snapshot) as source:
        told = export_plan(source, chosen, to)
    worth = sum(row["planned_value_cents"] for row in told) / 100
    rows = [(row["campaign_id"], f"{row['planned']:,}", row["plan_reason"] or "") for row in told]
    print_table(("campaign", "contacts", "why none"), rows, right=("contacts",))
    count = sum(row["planned"] for row in told)
    typer.echo(f"{count:,} contacts worth {worth:,.2f} {night.shop.currency}, costs taken off, in {to}")


def pin(night: Night, snapshot: str | None) -> "Snapshot":
    """The snapshot to read: the named one, else the current."""
    from pipeline.warehouse.snapshot import open_snapshot

    return open_snapshot(night.warehouse, snapshot)


def known_table(pinned: "Snapshot", table: str) -> str:
    """The table's name, when the snapshot has it.

    Raises:
        ConfigError: it has not; the nearest names are given.
    """
    if table not in pinned.manifest.tables:
        raise unknown("table", table, pinned.manifest.tables)
    return table


def key_of(night: Night, user: str) -> str:
    """The user key of whom a person names: keys stay, the shop's own user ids are hashed with the shop's secret."""
    from pipeline.privacy.keys import KEY_DIGITS, load_secret, user_key

    if re.fullmatch(rf"[0-9a-f]{{{KEY_DIGITS}}}", user):
        return user
    return user_key(load_secret(night.home / "secrets"), user)


def equalities(
    table: str, columns: Iterable[str], user: str | None, item: str | None, campaign: str | None
) -> dict[str, str]:
    """The columns, and the value in each, that pick the rows asked for.

    Args:
        table: the table's name, for the message.
        columns: the columns it has. Where a context says what a row is about, users own baskets.
        user: a user key.
        item: an item id.
        campaign: a campaign id.

    Raises:
        ConfigError: the table has no column for what is asked.
    """
    wanted = {"user_key": user, "item_id": item, "campaign_id": campaign}
    if "context_id" in columns and (user or item):
        kind, owner = ("basket", user) if user else ("item", item)
        wanted = {"context": kind, "context_id": owner, "item_id": item if user else None, "campaign_id": campaign}
    equal = {column: value for column, value in wanted.items() if value is not None}
    if missing := set(equal) - set(columns):
        raise ConfigError(f"table {table}: has no {', '.join(sorted(missing))}; `shopkeel docs` writes what it has")
    return equal


def nothing(rows: "Dataset", table: str, equal: Mapping[str, str], user: str | None) -> ShopkeelError:
    """The error for no rows: names the value that the table does not know, with its nearest."""
    from pyarrow.dataset import field

    context = field("context") == equal["context"] if "context" in equal else None
    for column, value in equal.items():
        known = [
            str(name) for name in rows.to_table(columns=[column], filter=context).column(column).unique().to_pylist()
        ]
        if value in known:
            continue
        if user is not None and column in {"user_key", "context_id"} and value != user:
            return NoData(f"user '{user}' ({value}): not in {table}; check the shop's user id")
        return unknown(f"{table}.{column}", value, known)
    return NoData(f"table {table}: no row has {' and '.join(f'{c} {v}' for c, v in equal.items())}; ask for less")


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table, or one below the other where it would be too wide."""
    if len(rows) != 1 and len(columns) <= WIDE:
        print_table(columns, ([cell(row[column]) for column in columns] for row in rows))
        return
    for row in rows:
        print_table(("column", "value"), ((column, cell(row[column])) for column in columns))
        out.print()


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return " ".join(cell(part) for part in value.values())
    if isinstance(value, list):
        if len(value) > LONG and isinstance(value[0], float):
            return f"{len(value)} numbers"
        return ", ".join(cell(part) for part in value)
    return str(value)
