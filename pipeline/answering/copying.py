"""The copy check: every number, name and date of a sentence stands in one of the facts it cites.

What states nothing (a greeting, a question back) has no numbers and no names, so it passes without facts. A re-worded
sentence must, besides, keep the names and numbers of the one it re-words, deny what that denies, doubt what it doubts,
tell the same time, and use few new words.
"""

import re
from collections.abc import Iterable

from pipeline.answering.facts import Fact, Sentence, is_harmless

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
QUOTED = re.compile(r"“([^”]*)”")
WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
CAPITALS = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z]\w+")  # names, but for a sentence's first word
DENIALS = frozenset(["no", "not", "never", "none", "without", "cannot", "neither", "nor", "nothing", "nobody"])
# Words of one line turn a statement alike: one of them stands in both sentences or in neither.
TURNS = (
    frozenset(["whether", "if"]),
    frozenset(["last", "lately", "recently", "latest"]),
    frozenset(["until", "till"]),
    frozenset(["out"]),
    frozenset(["yet", "far"]),
    frozenset(["mean"]),
)
NEW_WORDS = 0.34  # share of a re-worded sentence's longer words that may be new


def unsupported(sentence: Sentence) -> list[str]:
    """Dates, numbers and quoted names of a sentence that stand in none of its facts; empty when all do."""
    held = [fact.shown for fact in sentence.facts]
    text, missing = sentence.text, []
    for name in QUOTED.findall(text):
        if name not in held:
            missing.append(name)
    plain = QUOTED.sub(" ", text)
    for day in DATE.findall(plain):
        if not any(day in one for one in held):
            missing.append(day)
    plain = DATE.sub(" ", plain)
    known = {number for one in held for number in NUMBER.findall(one)}
    return missing + [number for number in NUMBER.findall(plain) if number not in known]


def is_copied(sentence: Sentence) -> bool:
    """Whether a sentence says nothing but what its facts say, and holds no address and no markup."""
    return not unsupported(sentence) and is_harmless(sentence.text)


def rewords(text: str, original: Sentence) -> bool:
    """Whether a text says what a sentence says in other words: only then may it stand in its place."""
    again = Sentence(text, original.facts)
    if not text.strip() or not is_copied(again):
        return False
    before, now = _told(original.text), _told(text)
    if before != now or _denials(original.text) != _denials(text) or _turned(original.text) != _turned(text):
        return False
    held = _words([original.text, *(fact.shown for fact in original.facts)])
    long = [word for word in _words([text]) if len(word) > 3]
    if any(word.lower() not in held for word in CAPITALS.findall(text)):
        return False
    return sum(word not in held for word in long) <= NEW_WORDS * max(len(long), 1)


def _told(text: str) -> tuple[list[str], list[str]]:
    """Names and numbers, each in order of the alphabet."""
    return sorted(QUOTED.findall(text)), sorted(NUMBER.findall(QUOTED.sub(" ", text)))


def _words(texts: Iterable[str]) -> set[str]:
    return {word.lower() for text in texts for word in WORD.findall(text)}


def _denials(text: str) -> int:
    words = [word.lower() for word in WORD.findall(text)]
    return sum(word in DENIALS or word.endswith("n't") for word in words)


def _turned(text: str) -> list[bool]:
    """Which of TURNS a text holds, its names left out."""
    held = _words([QUOTED.sub(" ", text)])
    return [bool(words & held) for words in TURNS]


def all_copied(sentences: Iterable[Sentence]) -> bool:
    """Whether every sentence passes."""
    return all(is_copied(sentence) for sentence in sentences)


def cited(facts: Iterable[Fact]) -> list[str]:
    """Facts as a person reads where they stand: table, key and column."""
    return [f"{fact.table} {fact.key}: {fact.column}" for fact in facts]
