"""Commands about what stays, and where: pin, unpin, gc, mirror."""

from typing import Annotated

import typer

from pipeline.cli.app import ShopOption, a_night, app, print_table
from pipeline.errors import ConfigError

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
    from pipeline.warehouse.bucket import Bucket

    night = a_night(shop)
    kept = pins.pin(night.warehouse, name, snapshot)
    if bucket := Bucket.of(night.shop):
        bucket.pin(name, kept)
    print_table(("name", "snapshot"), sorted(pins.pins(night.warehouse).items()))


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel unpin --name black-friday")
def unpin(name: NameOption = NAME, shop: ShopOption = "grocer") -> None:
    """Let a pinned snapshot go when its time comes."""
    from pipeline.warehouse import pins
    from pipeline.warehouse.bucket import Bucket

    night = a_night(shop)
    if bucket := Bucket.of(night.shop):
        bucket.unpin(name)
    typer.echo(f"{pins.unpin(night.warehouse, name)} is no longer kept as '{name}'")


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
    from pipeline.warehouse.bucket import Bucket

    night = a_night(shop)
    grace = janitor.GRACE_HOURS if grace_hours is None else grace_hours
    gone = janitor.tidy(night, keep=keep, grace_hours=grace, dry=dry_run)
    for path in gone:
        typer.echo(path.relative_to(night.root))
    typer.echo(f"{len(gone)} {'would be ' if dry_run else ''}removed")
    if (bucket := Bucket.of(night.shop)) and not dry_run:
        swept = bucket.sweep(keep or night.shop.keep_snapshots, grace_hours=grace)
        typer.echo(f"{len(swept)} removed from {bucket.uri}")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel mirror --shop my_shop.yaml")
def mirror(shop: ShopOption = "grocer") -> None:
    """Bring what the readers of the shop's object store see to this machine."""
    from pipeline.warehouse import commit
    from pipeline.warehouse.bucket import Bucket

    night = a_night(shop)
    bucket = Bucket.of(night.shop)
    if bucket is None:
        raise ConfigError(f"shop {night.shop.name}: no object_store in its settings; add the URI, or read what is here")
    typer.echo(f"{bucket.uri}: {commit.mirror(night.warehouse, bucket) or 'nothing is published yet'}")
