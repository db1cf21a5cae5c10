"""The HTTP endpoint: POST /ask and GET /health, JSON in and out, nothing that a browser renders.

It reads only, but for POST /thumb, which is there when talks are kept. Who asks is told by a token (`tokens`), never by
the talk. Bodies are small, callers are held to a rate, and errors say nothing of the inside.
"""

from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pipeline.answering.answerer import LONGEST_QUESTION, MOST_TURNS
from pipeline.answering.facts import Reply
from pipeline.chat import tokens
from pipeline.chat.limits import Limits
from pipeline.chat.opening import Chat
from pipeline.chat.talks import Talks
from pipeline.errors import ConfigError

MOST_BYTES = 4 * LONGEST_QUESTION * MOST_TURNS
Turn = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_QUESTION)]
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "sandbox"}


class Question(BaseModel):
    """A talk so far: what the user said, oldest first, the question last."""

    model_config = ConfigDict(extra="forbid")
    turns: Annotated[list[Turn], Field(min_length=1, max_length=MOST_TURNS)]


class Thumb(Question):
    """A talk, and whether its last question was answered."""

    resolved: bool


def answer(reply: Reply, snapshot_id: str) -> dict[str, Any]:
    """A reply as JSON: each sentence with where its facts stand."""
    return {
        "answer": reply.text,
        "sentences": [
            {
                "text": sentence.text,
                "facts": [
                    {"table": fact.table, "key": fact.key, "column": fact.column, "value": fact.shown}
                    for fact in sentence.facts
                ],
            }
            for sentence in reply.sentences
        ],
        "asked": reply.asked,
        "language": reply.language,
        "confidence": reply.confidence,
        "abstained": reply.abstained,
        "handover": None if reply.handover is None else {"why": reply.handover.why, "summary": reply.handover.summary},
        "snapshot": snapshot_id,
    }


def application(chat: Chat, secret: bytes, limits: Limits, talks: Talks | None = None) -> FastAPI:
    """The endpoint.

    Args:
        chat: answers.
        secret: the shop's, that tokens are made with.
        limits: of questions, by user or, for guests, by address.
        talks: where talks with a thumb are kept; None keeps none.
    """
    app = FastAPI(title="shopkeel chat", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def small(request: Request, call_next: Any) -> Any:
        length = request.headers.get("content-length", "0" if request.method == "GET" else "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return JSONResponse({"detail": f"send at most {MOST_BYTES} bytes and their length"}, 413, HEADERS)
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/health")
    def health() -> dict[str, str]:
        chat.refresh()
        return {"snapshot": chat.snapshot.id, "day": str(chat.snapshot.manifest.day)}

    def asked(question: Question, request: Request, authorization: str | None) -> tuple[Reply, str, str | None]:
        """The reply, its snapshot, and who asks."""
        chat.refresh()
        snapshot_id = chat.snapshot.id
        user = _signed_in(authorization, secret, snapshot_id)
        if not limits.allows(user or (request.client.host if request.client else "")):
            raise HTTPException(429, "too many questions; wait a minute")
        return chat.reply(question.turns, user), snapshot_id, user

    @app.post("/ask")
    def ask(
        question: Question, request: Request, authorization: Annotated[str | None, Header()] = None
    ) -> dict[str, Any]:
        reply, snapshot_id, _user = asked(question, request, authorization)
        return answer(reply, snapshot_id)

    if talks is not None:

        @app.post("/thumb", status_code=204)
        def thumb(given: Thumb, request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
            reply, _snapshot_id, user = asked(given, request, authorization)
            talks.keep(given.turns, reply.asked, is_resolved=given.resolved, user_key=user)

    return app


def _signed_in(authorization: str | None, secret: bytes, snapshot_id: str) -> str | None:
    """The user of a bearer token; None for a guest, who sends none."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise ConfigError("authorization: only bearer tokens are known")
        return tokens.user_of(secret, token, snapshot_id)
    except ConfigError as error:
        raise HTTPException(401, str(error)) from error
