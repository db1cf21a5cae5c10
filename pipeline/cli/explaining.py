"""The command that says why: explain."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.app import ShopOption, SnapshotOption, a_night, app, out, print_facts, print_table
from pipeline.cli.reading import key_of, pin
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.metrics.shapley import Shares
    from pipeline.stages.why import Contacted, Reason

PANEL = "Read"
NAMED = 3  # titles of the player that stands for the rest


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel explain --user 1228 --item 1029743")
def explain(
    user: Annotated[str, typer.Option(help="The shop's own user id, or a user key.")],
    item: Annotated[str | None, typer.Option(help="Why this item stands on the user's lists, or does not.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Why the user is in this campaign's audience.")] = None,
    most: Annotated[
        int, typer.Option("--most", min=2, max=40, help="History items told apart; the others count as one.")
    ] = 8,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Say why: what each part of the model adds, what each thing in the user's history does, and what would be without.

    What a model reads is told, not what causes a purchase: only contacts that chance decided can tell that.
    """
    from pipeline.stages import why

    if (item is None) == (campaign is None):
        raise ConfigError("explain: give either --item or --campaign")
    night = a_night(shop)
    pinned, key = pin(night, snapshot), key_of(night, user)
    if item is not None:
        _print_item(why.of_item(night, pinned, key, item, most))
    elif campaign is not None:
        _print_campaign(why.of_campaign(night, pinned, key, campaign, most))


def _print_item(told: "Reason") -> None:
    from pipeline.explain import GROUP_WORDS

    out.print(told.title, style="bold")
    _print_shown(told.shown, ("surface", "rank", "change_cause", "reason"), "on none of the user's lists")
    if told.shares is None:
        out.print(f"Nothing of the user is read: {told.unread}.")
        return
    found, shares = told.shares, told.shares.shares
    print_facts([("ranked by the models alone", _place(found.rank, found.places)), ("in words", told.words)])
    out.print()
    rows = [(GROUP_WORDS[name], f"{value:+.3f}") for name, value in told.parts.items()]
    print_table(("what the models read", "adds (log-odds)"), rows, right=("adds (log-odds)",))
    out.print()
    _print_history(shares, told.players, [_place(int(rank), found.places) for rank in found.without])


def _print_campaign(told: "Contacted") -> None:
    from pipeline.explain import AUDIENCE_WORDS

    _print_shown(told.shown, ("rank", "propensity", "uplift", "is_holdout", "reason"), "")
    out.print()
    rows = [(name, AUDIENCE_WORDS[name], f"{value:+.3f}") for name, value in told.adds.items()]
    print_table(("feature", "in words, where it adds", "adds (log-odds)"), rows, right=("adds (log-odds)",))
    print_facts([("together", f"{sum(told.adds.values()):+.3f} against the average contact")])
    out.print()
    _print_history(told.shares, told.players, [f"{chance:.2%}" for chance in told.without])
    print_facts([("chance of a response by the end", f"{told.chance:.2%}")])


def _print_history(shares: "Shares", players: list[list[str]], without: list[str]) -> None:
    """What each thing in the history adds, largest first, and what would be without it."""
    head = ("history", "adds (log-odds)", "+-", "without it")
    rows = [
        (_titles(players[at]), f"{shares.values[at]:+.3f}", _error(shares.errors[at]), without[at])
        for at in sorted(range(len(players)), key=lambda at: -shares.values[at])
    ]
    print_table(head, rows, right=head[1:3])
    print_facts([("with no history", f"{shares.none:+.3f}"), ("with all of it", f"{shares.whole:+.3f}")])


def _error(error: float) -> str:
    return f"{error:.3f}" if error else "exact"


def _print_shown(rows: list[dict[str, Any]], columns: tuple[str, ...], none: str) -> None:
    from pipeline.cli.reading import cell

    if rows:
        print_table(columns, ([cell(row[column]) for column in columns] for row in rows))
    elif none:
        out.print(none)


def _place(rank: int, places: int) -> str:
    return f"rank {rank}" if rank else f"beyond rank {places}"


def _titles(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")
