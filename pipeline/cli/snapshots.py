"""Commands about what is published and when: status, history, verify, rollback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, SnapshotOption, a_night, app, out, parse_day, print_facts, print_table, size
from pipeline.cli.reading import pin
from pipeline.errors import DataError, NoData
from pipeline.record import RUNS, last_values
from pipeline.settings import Night

PANEL = "Published"
STALE = 1  # exit code of `status` for a snapshot that is too old, so that a monitor can tell it from none (4)


@app.command(
    rich_help_panel=PANEL, epilog="Example: shopkeel status --max-age-hours 26 || echo 'the night did not publish'"
)
def status(
    shop: ShopOption = "grocer",
    as_of: Annotated[str | None, typer.Option(help="Judge the snapshot's day against this day, not the clock.")] = None,
    max_age_hours: Annotated[float, typer.Option(min=0, help="Older than this is stale.")] = 26,
    nights: Annotated[int, typer.Option(min=0, help="How many of the last nights to list.")] = 7,
) -> None:
    """Show the current snapshot, its age, and how the last nights ended; exits 1 when stale, 4 when there is none.

    Airflow has no part in it: a scheduler that is down leaves a stale snapshot.
    """
    from pipeline.reports import last_night

    night = a_night(shop)
    if lines := list(_outcomes(night))[-nights:] if nights else []:
        print_table(("day", "run", "outcome", "seconds", "snapshot or error"), lines, right=("seconds",))
        out.print()
    last = last_night.read(night.root)
    if last.get("failed_stage"):
        print_facts([("last night", f"{last['day']} {last_night.in_words(last)}")])
    pinned = pin(night, None)
    if as_of is None:
        # The pointer is replaced by every commit and rollback, so its time is when readers last got something new.
        changed = datetime.fromtimestamp((night.warehouse / "CURRENT").stat().st_mtime, UTC)
        age = datetime.now(UTC) - changed  # noqa: TID251 - freshness is about the clock
        against = f"current for {_hours(age)}"
    else:
        age = parse_day(as_of, "--as-of") - pinned.manifest.day
        against = f"{age.days} days before {as_of}"
    stale = age > timedelta(hours=max_age_hours)
    verdict = f"stale (over {max_age_hours:g} h): run `shopkeel run`" if stale else "fresh"
    print_facts([("snapshot", pinned.id), ("day", pinned.manifest.day), ("age", against), ("verdict", verdict)])
    if stale:
        raise typer.Exit(STALE)


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel history")
def history(shop: ShopOption = "grocer") -> None:
    """List the published snapshots, newest day first; the current one has a star."""
    from pipeline.warehouse import snapshot

    night = a_night(shop)
    now = snapshot.pointer(night.warehouse)
    rows = []
    for manifest in snapshot.history(night.warehouse):
        files = manifest.tables.values()
        total, weight = sum(file.rows for file in files), sum(file.bytes for file in files)
        star = "*" if manifest.snapshot == now else ""
        rows.append((star, manifest.snapshot, manifest.run, f"{total:,}", size(weight), manifest.parent or ""))
    if not rows:
        raise NoData(f"shop {night.shop.name}: nothing is published yet; run `shopkeel run --date D`")
    print_table(("", "snapshot", "run", "rows", "bytes", "follows"), rows, right=("rows", "bytes"))


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel verify")
def verify(shop: ShopOption = "grocer", snapshot: SnapshotOption = None) -> None:
    """Hash the snapshot's files again and compare with its manifest."""
    from pipeline.warehouse.snapshot import verify as hash_again

    pinned = pin(a_night(shop), snapshot)
    if problems := hash_again(pinned):
        raise DataError(f"snapshot {pinned.id}: {'; '.join(problems)}; `shopkeel rollback` and run its date again")
    typer.echo(f"{pinned.id}: {len(pinned.manifest.tables)} tables are what the manifest says")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel rollback --to 2017-11-29-0f3c5a1b2d4e")
def rollback(
    to: Annotated[
        str | None, typer.Option(help="A snapshot of `shopkeel history`.", show_default="the one before")
    ] = None,
    shop: ShopOption = "grocer",
) -> None:
    """Point readers back to an earlier snapshot; nothing is deleted."""
    from pipeline import tracking
    from pipeline.warehouse import commit
    from pipeline.warehouse.bucket import Bucket

    night = a_night(shop)
    manifest = commit.rollback(night.warehouse, to, Bucket.of(night.shop))
    typer.echo(f"current is {manifest.snapshot}, run {manifest.run}")
    tracking.align(night)


def _outcomes(night: Night) -> Iterator[tuple[str, str, str, str, str]]:
    """The nights on record, oldest first: day, run, outcome, seconds, snapshot or error."""
    for folder in sorted((night.root / "nights").glob("*-*-*-*")):
        tags = last_values(folder, "tags")
        stages = (folder / RUNS).glob("*")
        seconds = sum(last_values(stage, "metrics").get("stage/seconds", 0) for stage in stages)
        failed = f"{tags.get('failed_stage', '')}: {' '.join(tags.get('error', '').split())}"
        said = failed if tags.get("status") in {"failed", "refused"} else tags.get("snapshot", "")
        yield tags.get("day", folder.name[:10]), folder.name[11:], tags.get("status", "unknown"), f"{seconds:.0f}", said


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 72 else f"{hours / 24:.1f} days"
