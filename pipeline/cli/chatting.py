"""Commands that talk: chat, chat-token, serve-chat."""

import ipaddress
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import ShopOption, SnapshotOption, a_night, app, out
from pipeline.cli.reading import key_of, pin
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.chat.talks import Talks
    from pipeline.settings import Night

PANEL = "Talk"
UserOption = Annotated[
    str | None, typer.Option(help="Sign this user in: the shop's own user id, or a user key.", show_default="a guest")
]
KeepOption = Annotated[
    Path | None,
    typer.Option(
        help="Drops of the shop, where talks that got a thumb are kept for the next night.", show_default="none"
    ),
]


class Thumb(StrEnum):
    """Whether a talk was any good."""

    UP = "up"
    DOWN = "down"


@app.command(rich_help_panel=PANEL, epilog='Example: shopkeel chat --user 1228 --ask "What was in my last order?"')
def chat(
    user: UserOption = None,
    ask: Annotated[list[str] | None, typer.Option(help="Ask this and end; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an answer, for programs.")] = False,
    keep_talks: KeepOption = None,
    thumb: Annotated[
        Thumb | None, typer.Option(help="Was it answered? Then the talk is kept.", show_default="asked at the end")
    ] = None,
    shop: ShopOption = "grocer",
    snapshot: SnapshotOption = None,
) -> None:
    """Ask about articles, your orders, offers and recommendations; each answer says what it rests on."""
    from pipeline.chat.opening import Chat

    if thumb and keep_talks is None:
        raise ConfigError("--thumb: nothing would be kept; add --keep-talks DROPS, the shop's folder of drops")
    night = a_night(shop)
    opened, talks = Chat(night, snapshot), _talks(night, keep_talks)
    key = None if user is None else key_of(night, user)
    turns: list[str] = []
    for question in ask or _typed():
        turns.append(question)
        reply = opened.reply(turns, key)
        if as_json:
            from pipeline.chat.server import answer

            typer.echo(json.dumps(answer(reply, opened.snapshot.id), ensure_ascii=False))
            continue
        if ask:
            out.print(f"> {question}", style="bold")
        for sentence in reply.sentences:
            out.print(sentence.text)
            places = dict.fromkeys(f"{fact.table} {fact.key}: {fact.column}" for fact in sentence.facts)
            if places:
                out.print(f"  [{'; '.join(places)}]", style="dim")
        if reply.handover:
            out.print(f"  (for a person: {reply.handover.why}; {reply.handover.summary})", style="dim")
    given = thumb or (None if talks is None or ask or not turns else _asked_for_thumb())
    if talks and given and turns:
        kept = talks.keep(turns, reply.asked, is_resolved=given is Thumb.UP, user_key=key)
        out.print(f"kept: {kept}", style="dim")


def _talks(night: "Night", folder: Path | None) -> "Talks | None":
    """Where talks go; None where none are kept."""
    from pipeline.chat.talks import Talks
    from pipeline.privacy.keys import load_secret

    if folder is None:
        return None
    secret = load_secret(night.home / "secrets")
    return Talks(folder, night.shop, secret, lambda: datetime.now(UTC))  # noqa: TID251 - people talk by the clock


def _asked_for_thumb() -> Thumb | None:
    words = "Was that answered? up or down keeps this talk for the shop; nothing keeps nothing"
    said = typer.prompt(words, default="", show_default=False, prompt_suffix=": ").strip().lower()
    return Thumb(said) if said in {*Thumb} else None


@app.command("chat-token", rich_help_panel=PANEL, epilog="Example: shopkeel chat-token --user 1228")
def chat_token(
    user: Annotated[str, typer.Option(help="The shop's own user id, or a user key.")], shop: ShopOption = "grocer"
) -> None:
    """Print a bearer token for `serve-chat`: good for this user until the next snapshot is published."""
    from pipeline.chat import tokens
    from pipeline.privacy.keys import load_secret

    night = a_night(shop)
    typer.echo(tokens.issue(load_secret(night.home / "secrets"), key_of(night, user), pin(night, None).id))


@app.command("serve-chat", rich_help_panel=PANEL, epilog="Example: shopkeel serve-chat --port 8090")
def serve_chat(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8090,
    per_minute: Annotated[int, typer.Option(min=1, help="Questions a user may ask in a minute, in the long run.")] = 30,
    public: Annotated[bool, typer.Option("--public", help="Listen on an address others reach.")] = False,
    keep_talks: KeepOption = None,
    shop: ShopOption = "grocer",
) -> None:
    """Answer over HTTP: POST /ask {"turns": [...]} with a bearer token, or as a guest; keep talks where asked to."""
    import uvicorn

    from pipeline.chat.limits import Limits
    from pipeline.chat.opening import Chat
    from pipeline.chat.server import application
    from pipeline.privacy.keys import load_secret

    if not (public or _is_loopback(host)):
        raise ConfigError(f"--host {host}: others reach it; add --public, and put a server with TLS in front")
    night = a_night(shop)
    chat = Chat(night)
    chat.answerer.warm()  # before the first question
    limits, secret = Limits(per_minute, burst=10), load_secret(night.home / "secrets")
    served = application(chat, secret, limits, _talks(night, keep_talks))
    uvicorn.run(served, host=host, port=port, log_level="warning", server_header=False, limit_concurrency=32)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _typed() -> Iterator[str]:
    """Questions as they are typed, until an empty line or the end."""
    while question := typer.prompt("", default="", show_default=False, prompt_suffix="> ").strip():
        yield question
