"""Commands about people's keys: erase, rotate-key."""

from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, a_night, app, print_facts
from pipeline.errors import ConfigError


@app.command(rich_help_panel="Privacy", epilog="Example: shopkeel erase --user 1228 --gc")
def erase(
    user: Annotated[list[str] | None, typer.Option(help="The shop's own id of a user; may be given again.")] = None,
    gc: Annotated[bool, typer.Option("--gc", help="Also remove the older snapshots that hold them.")] = False,
    shop: ShopOption = "grocer",
) -> None:
    """Erase users: from feeds, from work files and from what readers see; later arrivals of theirs are dropped."""
    from pipeline import erasure

    if not user:
        raise ConfigError("erase: nobody named; give --user ID")
    night = a_night(shop)
    done = erasure.erase_for_good(night, user) if gc else erasure.erase(night, user)
    rows = ", ".join(f"{count:,} of {feed}" for feed, count in done.rows.items())
    models = "; ".join(f"{name} {', '.join(versions)}" for name, versions in done.models.items())
    left = ", ".join(done.holding)
    print_facts(
        [
            ("rows removed", rows or "none had landed"),
            ("readers see", done.snapshot or "nothing is published"),
            ("snapshots removed", ", ".join(done.removed) or "none"),
            ("still hold them", f"{left}: run it again with --gc" if left else "none"),
            ("learned from them", f"{models}: the next night trains anew" if models else "none"),
        ]
    )


@app.command("rotate-key", rich_help_panel="Privacy", epilog="Example: shopkeel rotate-key --shop grocer")
def rotate_key(
    shop: Annotated[list[str] | None, typer.Option(help="A shop of this home; name each.")] = None,
) -> None:
    """Add a secret and turn every user key by it; lists, audiences and the hold-out stay their users'."""
    from pipeline import rotation

    done = rotation.rotate([a_night(name) for name in shop or ["grocer"]])
    for name, one in done.items():
        print_facts(
            [
                ("shop", name),
                ("days of feeds", one.days),
                ("readers see", one.snapshot or "nothing is published"),
                ("old keys in", ", ".join(one.holding) or "no snapshot"),
            ]
        )
