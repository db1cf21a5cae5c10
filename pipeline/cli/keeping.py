"""Commands about what stays: pin, unpin, gc."""

from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, a_night, app, print_table

PANEL = "Published"
NAME = "kept"
NameOption = Annotated[str, typer.Option("--name", help="Under this name; it keeps one snapshot at a time.")]


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel pin --name black-friday 2017-11-24-0f3c5a1b2d4e")
def pin(
    snapshot: Annotated[str | None, typer.Argument(help="A snapshot.", show_default="current")] = None,
    name: NameOption = NAME,
    shop: ShopOption = "grocer",
) -> None:
    """Keep a snapshot until it is unpinned; lists what is kept."""
    from pipeline.warehouse import pins

    root = a_night(shop).warehouse
    pins.pin(root, name, snapshot)
    print_table(("name", "snapshot"), sorted(pins.pins(root).items()))


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel unpin --name black-friday")
def unpin(name: NameOption = NAME, shop: ShopOption = "grocer") -> None:
    """Let a pinned snapshot go when its time comes."""
    from pipeline.warehouse import pins

    typer.echo(f"{pins.unpin(a_night(shop).warehouse, name)} is no longer kept as '{name}'")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel gc --dry-run")
def gc(
    keep: Annotated[
        int | None, typer.Option(min=1, help="Snapshots that stay.", show_default="the shop's keep_snapshots")
    ] = None,
    grace_hours: Annotated[
        float | None, typer.Option(min=0, help="What is younger stays: a run may be at work between two tasks.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    shop: ShopOption = "grocer",
) -> None:
    """Remove what nobody needs: leftovers of dead runs, old snapshots, models and vectors that no snapshot names.

    The current snapshot, the one before it, pinned ones and those being read stay. Each night ends with it, too.
    """
    from pipeline.warehouse import janitor

    night = a_night(shop)
    grace = janitor.GRACE_HOURS if grace_hours is None else grace_hours
    gone = janitor.tidy(night, keep=keep, grace_hours=grace, dry=dry_run)
    for path in gone:
        typer.echo(path.relative_to(night.root))
    typer.echo(f"{len(gone)} {'would be ' if dry_run else ''}removed")
