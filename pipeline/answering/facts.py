"""Facts, the sentences that rest on them, and how values are shown.

A fact names the table, the row's key and the column it was read from, and its value as people read it. Text that came
from a shop or its users is made harmless here, before it can stand in a sentence. Not here: reading (`tools`), wording.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

LANGUAGES = ("en", "zh")
LONGEST_NAME, LONGEST_TEXT = 300, 20_000
SHOP = "(shop)"  # the subject of what is about no single thing

# A scheme with what follows, an e-mail address, markup of any kind: nothing a screen could turn into a link or image.
ADDRESS = re.compile(
    r"""(?ix) [a-z][a-z0-9+.-]{1,20} :// \S* | \b (?:javascript|vbscript|data|mailto) \s? : \S* | \b www \. \S+
    | [^\s@]+ @ [^\s@]+ \. \S+"""
)
HOST = re.compile(r"(?i)\b(?:[a-z0-9-]+\.)+[a-z]{2,24}\b")  # a bare one loses its dots: 'dr.pepper' may be meant
CHINESE = re.compile(r"[\u3400-\u9fff]")
TAG = re.compile(r"<[^<>]*>?|&\#?\w{1,12};")
MARKDOWN = re.compile(r"!?\[[^\[\]]*\]\s*(?:\([^()]*\)?|\[[^\[\]]*\]|:\s*\S+)")
SPACED = {"Cf": "", "Co": "", "Cn": "", "Cs": "", "Mn": "", "Cc": " ", "Zl": " ", "Zp": " ", "Zs": " "}
MARKS = re.compile(r"[<>\[\]{}`|\\“”]|(?<!\w)[*_~#]+|[*_~#]+(?!\w)")


@dataclass(frozen=True)
class Fact:
    """One value of the snapshot: table, key of the row, column, and the value as it is shown."""

    table: str
    key: str
    column: str
    shown: str


@dataclass(frozen=True)
class Sentence:
    """Words and what they rest on; a sentence that states nothing of the shop has no facts."""

    text: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Handover:
    """What a person is told who takes over.

    Attributes:
        why: asked_for_a_person, cannot_answer or order_problem.
        summary: the case in one line, from what the chat understood; no text of the user's is quoted.
    """

    why: str
    summary: str


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        asked: what the question was taken to be about.
        subject: the item, campaign or document; `(shop)` else.
        language: en or zh.
        sentences: in order.
        confidence: of the understanding and the facts together, 0 to 1.
        abstained: the chat does not know, and says so.
        handover: for a person, where one is needed.
        source: answers (precomputed) or tools.
    """

    asked: str
    subject: str
    language: str
    sentences: tuple[Sentence, ...]
    confidence: float
    abstained: bool = False
    handover: Handover | None = None
    source: str = "tools"
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that is said."""
        return joined(self.sentences, self.language)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All that it rests on, each once, in order."""
        return tuple(dict.fromkeys(fact for sentence in self.sentences for fact in sentence.facts))


def joined(sentences: tuple[Sentence, ...], language: str) -> str:
    """Sentences as one text."""
    return ("" if language == "zh" else " ").join(sentence.text for sentence in sentences)


def harmless(text: str, longest: int = LONGEST_NAME) -> str:
    """Text of a shop or a user without addresses, markup and control characters, single-spaced, cut to a length.

    Repeated until nothing changes, so that what is left after a removal is not itself an address or a tag.
    """
    text = unicodedata.normalize("NFKC", text)
    while True:
        # What has no width would hide an address from the patterns.
        plain = "".join(SPACED.get(unicodedata.category(one), one) for one in text)
        for pattern in (MARKDOWN, TAG, ADDRESS, MARKS):
            plain = pattern.sub(" ", plain)
        plain = HOST.sub(lambda found: found.group().replace(".", " "), plain)
        plain = " ".join(plain.split())
        if plain == text:
            break
        text = plain
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def is_harmless(text: str) -> bool:
    """Whether a text holds no address and no markup."""
    return not any(pattern.search(text) for pattern in (MARKDOWN, TAG, ADDRESS, HOST)) and not re.search(
        r"[<>\[\]`]", text
    )


def money(cents: int, currency: str | None) -> str:
    """An amount as it is shown."""
    amount = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return f"{amount} {currency}" if currency else amount


def shown(column: str, value: Any, currency: str | None = None) -> str:
    """A column's value as it is shown: the one place where chat, table and audit agree on it."""
    if value is None:
        return ""
    if column.endswith("_cents"):
        return money(int(value), currency)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{round(100 * value)} %"  # shares are the only reals that are told
    if column == "category":
        value = str(value).replace(" > ", " / ")  # which would go as markup does
    return harmless(str(value), LONGEST_TEXT if column == "document_text" else LONGEST_NAME)
