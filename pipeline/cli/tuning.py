"""The command that searches settings: tune."""

from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, a_night, app, parse_day, print_facts
from pipeline.cli.progress import NightProgress


@app.command(rich_help_panel="Run", epilog="Example: shopkeel tune --shop gift_cards.yaml --minutes 20")
def tune(
    minutes: Annotated[float, typer.Option(min=0.01, help="Budget; the first trial is let to its end.")] = 30.0,
    day: Annotated[
        str | None, typer.Option("--date", "-d", help="With what had landed by this day.", show_default="current")
    ] = None,
    shop: ShopOption = "grocer",
) -> None:
    """Learn the shop's language and seek settings for its reader of reviews; the next night judges the winner."""
    from dataclasses import replace

    from pipeline import tracking, tuning

    night = a_night(shop)
    night = replace(night, day=parse_day(day, "--date")) if day else tuning.newest(night)
    with NightProgress() as progress:
        adapted = tuning.adapt(night, progress)
        told = tuning.search(night, minutes, progress)
    if why := told.get("no_input"):
        print_facts([("nothing to tune", why)])
        return
    found = told["settings"]
    print_facts(
        [
            ("language", adapted.get("version") or adapted["no_input"]),
            ("trials", ", ".join(f"{count} {state}" for state, count in sorted(told["trials"].items()))),
            ("validation loss", f"{told['loss']:.4f}, by the shop's own settings {told['first']:.4f}"),
            ("settings", ", ".join(f"{name} {found[name]}" for name in sorted(found))),
            ("proposed", f"sentiment {told['version']}: the next night judges it"),
            ("record", tuning.of(night).record),
            ("mlflow", tracking.uri(night.home)),
        ]
    )
