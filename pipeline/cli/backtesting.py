"""The command that judges nights afterwards: backtest."""

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import ShopOption, app, parse_day, print_facts, print_table
from pipeline.cli.progress import NightProgress

if TYPE_CHECKING:
    from pipeline.backtest import Told
    from pipeline.reports.backtest import Report
    from pipeline.settings import Shop

FIGURES = Path("build/figures/backtest.json")
PAGES = Path("build/backtest")
SHORT = {  # a terminal is narrow: figure, header
    "ndcg@10": "NDCG@10",
    "idle_rbo": "overlap",
    "idle_rbo_least": "least",
    "idle_churn": "churn",
    "contradicted": "contra",
    "stale": "stale",
}


@app.command(
    rich_help_panel="Benchmarks",
    epilog="Example: shopkeel backtest --from 2017-11-01 --to 2017-11-15",
)
def backtest(
    begin: Annotated[str, typer.Option("--from", help="The first business day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="The last business day, itself included.")],
    users: Annotated[
        int | None, typer.Option(min=50, help="A fixed cohort of so many users.", show_default="all")
    ] = None,
    shop: ShopOption = "grocer",
) -> None:
    """Run consecutive nights, then judge them: the balanced lists beside those that the models alone would have shown.

    Nights are published in a home of their own, beside the shop's; those that are there already are not run again.
    """
    from pipeline import backtest as backtests
    from pipeline import tracking
    from pipeline.learning import harness
    from pipeline.reports import backtest as pages
    from pipeline.settings import home, load_shop
    from pipeline.version import code_version

    settings = load_shop(shop)
    days = backtests.Days.of(settings, home(), parse_day(begin, "--from"), parse_day(end, "--to"), users)
    harness.settle(settings.seed, settings.threads)
    with NightProgress() as progress:
        told = backtests.run(days, progress)
    report = _report(told, settings)
    page = pages.render(report, PAGES)
    _print(report)
    figures = told.figures()
    facts = {"shop": told.shop, "from": begin, "to": end, "point": report.point, "commit": code_version()}
    noted = {name: value for name, value in figures.items() if name.startswith(("total/", "goal/"))}
    run = tracking.note_benchmark(home(), f"backtest {begin} to {end}", facts, noted, PAGES)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures | {"machine": machine} | facts, indent=1) + "\n")
    print_facts([("page", page), ("figures", FIGURES), ("MLflow", run or "could not be reached")])


def _report(told: "Told", shop: "Shop") -> "Report":
    from pipeline.reports.backtest import Report

    return Report(
        shop=told.shop,
        provenance=shop.provenance,
        point=told.words,
        nights=told.nights,
        totals=told.totals,
        goals=[(goal.words, goal.asked, value, is_met) for goal, value, is_met in told.goals()],
        points=told.front(),
        least_accuracy=shop.policy.bounds.accuracy_lower,
    )


def _print(report: "Report") -> None:
    from pipeline.reports.backtest import KINDS, MEASURES, shown

    rows: list[tuple[Any, ...]] = [
        (f"{row['day']}", row["kind"], *(shown(row[name], MEASURES[name][1]) for name in SHORT))
        for _, row in report.nights.sort_values(["day", "kind"], ascending=[True, False]).iterrows()
    ]
    rows += [
        ("all", kind, *(shown(report.totals.get(f"{kind}/{name}"), MEASURES[name][1]) for name in SHORT))
        for kind in KINDS
    ]
    headers = tuple(SHORT.values())
    print_table(("night", "lists", *headers), rows, right=headers)
    goals = [
        (words, asked, shown(value, ".4f"), "yes" if is_met else "no") for words, asked, value, is_met in report.goals
    ]
    print_table(("goal", "asked", "found", "met"), goals, right=("asked", "found"))
