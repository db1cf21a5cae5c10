"""Commands about nights: run, backfill, replay, report."""

from datetime import timedelta
from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, a_night, app, err, parse_day, print_facts
from pipeline.cli.progress import NightProgress
from pipeline.errors import ConfigError, NoData, ShopkeelError
from pipeline.record import last_values
from pipeline.settings import Night, open_night

PANEL = "Run"
RunOption = Annotated[str, typer.Option("--run", help="Names this run, to keep several of one day apart.")]


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: shopkeel run --date 2017-11-30, or shopkeel run --date 2017-11-30 --from score",
)
def run(
    day: Annotated[str, typer.Option("--date", "-d", help="The business day, YYYY-MM-DD.")],
    first: Annotated[str | None, typer.Option("--from", help="Begin at this stage; earlier ones are done.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Stop after this stage.")] = None,
    run_name: RunOption = "night",
    shop: ShopOption = "grocer",
) -> None:
    """Run a night: land the day's data, train, judge, score, audit, publish, report."""
    night = open_night(shop, day, run_name)
    _run(night, first, last)
    _print_end(night)


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel backfill --from 2017-11-28 --to 2017-11-30")
def backfill(
    begin: Annotated[str, typer.Option("--from", help="The first business day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="The last business day, itself included.")],
    run_name: RunOption = "night",
    shop: ShopOption = "grocer",
) -> None:
    """Run every day of a range in order, and stop at the first that fails; an older day never becomes current."""
    day, until = parse_day(begin, "--from"), parse_day(end, "--to")
    if until < day:
        raise ConfigError(f"--to {until}: lies before --from {day}; give the earlier day first")
    while day <= until:
        night = open_night(shop, day, run_name)
        err.print(f"{day}", style="bold")
        try:
            _run(night, None, None)
        except ShopkeelError:
            err.print(f"stopped at {day}: mend what the error says, then continue with --from {day}", soft_wrap=True)
            raise
        typer.echo(f"{day}  {_snapshot(night) or 'not published'}")
        day += timedelta(days=1)


@app.command(rich_help_panel=PANEL, epilog="Example: xdg-open $(shopkeel report)")
def report(
    day: Annotated[str | None, typer.Option("--date", "-d", help="The day.", show_default="last reported")] = None,
    run_name: Annotated[str | None, typer.Option("--run", help="The day's run.", show_default="last written")] = None,
    shop: ShopOption = "grocer",
) -> None:
    """Print where the night report lies; Airflow's runs have names of their own, see `shopkeel status`."""
    named = f"{parse_day(day, '--date') if day else '????-??-??'}-{run_name or '*'}"
    found = (a_night(shop).root / "nights").glob(f"{named}/report.html")
    written = sorted(found, key=lambda page: (page.parent.name[:10], page.stat().st_mtime_ns))
    if not written:
        raise NoData(f"shop {shop}: no report {f'of {day} ' if day else ''}yet; run `shopkeel run --date D` first")
    typer.echo(written[-1])


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel replay")
def replay(shop: ShopOption = "grocer") -> None:
    """Ship the records that MLflow has not received yet, for instance after it was down."""
    from pipeline import tracking

    night = a_night(shop)
    shipped = tracking.replay(night)
    typer.echo(f"{len(shipped)} records shipped to {tracking.uri(night.home)}")


def _run(night: Night, first: str | None, last: str | None) -> None:
    from pipeline import nightly

    with NightProgress() as progress:
        nightly.run_night(night, first, last, progress)


def _snapshot(night: Night) -> str | None:
    return last_values(night.record, "tags").get("snapshot")


def _print_end(night: Night) -> None:
    """Say where the night's results are."""
    from pipeline import tracking
    from pipeline.warehouse.snapshot import open_snapshot

    published, page = _snapshot(night), night.record / "report.html"
    facts: list[tuple[str, object]] = [("snapshot", published or "none yet: the night stopped before publish")]
    if published:
        facts.append(("tables", open_snapshot(night.warehouse, published).folder))
    facts += [("report", page)] if page.is_file() else []
    print_facts([*facts, ("record", night.record), ("mlflow", tracking.uri(night.home))])
