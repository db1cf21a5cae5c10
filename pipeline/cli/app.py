"""The `shopkeel` application: the options every command shares, how errors end, how things are printed.

Not here: commands; each group of them has its file beside this one.
"""

import difflib
import logging
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from pipeline.errors import MACHINE, ConfigError, ShopkeelError
from pipeline.settings import Night, home, load_shop

# Data is printed as it is: no markup, so that a title with [brackets] stays one.
out = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
err = Console(stderr=True, markup=False, highlight=False, emoji=False)


class Commands(TyperGroup):
    """The command group whose one handler turns an error of ours or of the machine into one line and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error becomes `error: ...` on stderr, with a traceback under --debug."""
        try:
            return super().invoke(ctx)
        except ShopkeelError as error:
            if ctx.params.get("debug"):
                err.print_exception()
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(error.exit_code) from error
        except (OSError, MemoryError) as error:
            if ctx.params.get("debug"):
                err.print_exception()
            words = " ".join(str(error).split()) or "out of memory"
            typer.echo(f"error: {words}; free disk or memory and run again, readers keep the last snapshot", err=True)
            raise typer.Exit(MACHINE) from error


app = typer.Typer(
    name="shopkeel",
    cls=Commands,
    help="The nightly retrain of a shop's tables: run a night, read what it published, roll it back.",
    epilog="Start with: shopkeel doctor, then shopkeel run --date 2017-11-30. Data lies in $SHOPKEEL_HOME, else ./var.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ShopOption = Annotated[str, typer.Option("--shop", "-s", help="A known shop, or the path of its .yaml file.")]
SnapshotOption = Annotated[str | None, typer.Option("--snapshot", help="Read this snapshot.", show_default="current")]


@app.callback()
def options(
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Log what happens; -vv for more.")] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Set up logging before any command."""
    if verbose:
        from rich.logging import RichHandler

        level = logging.DEBUG if verbose > 1 else logging.INFO
        handler = RichHandler(console=err)
        logging.basicConfig(level=level, format="%(message)s", datefmt="[%X]", handlers=[handler], force=True)


def main() -> None:
    """Run the command line: the entry point `shopkeel`."""
    app()


def a_night(shop: str) -> Night:
    """Any night of a shop, to find the folders all its nights share."""
    settings = load_shop(shop)
    return Night(shop=settings, day=settings.first_day, home=home())


def parse_day(text: str, option: str) -> date:
    """A day given as YYYY-MM-DD.

    Raises:
        ConfigError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} '{text}': not a day; write it as YYYY-MM-DD") from error


def unknown(what: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is none of the known ones, with the nearest of them, else the first few."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return ConfigError(f"{what} '{name}': unknown; did you mean {' or '.join(near)}?")
    some = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return ConfigError(f"{what} '{name}': unknown; choose one of {some or '(none yet)'}")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """Print rows under headers; the columns named in `right` are aligned as numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    out.print(table)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one a line, never wrapped: a path stays one word for who copies it."""
    facts = list(facts)
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        typer.echo(f"{name:<{width}}  {value}")


def size(count: float) -> str:
    """Bytes in the unit a person reads."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
