"""Sentences in the shop's own tone: the frame of a sentence goes to a writer, and its facts are put back afterwards.

A frame has a bracketed letter for each fact, so a writer never sees a value, and cannot bring one. Of Chinese, which
the small model does not write, templates speak. Not here: the model (`models.phrasing`) and the check (`copying`).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

from pipeline.answering.facts import CHINESE, Fact, Sentence
from pipeline.answering.words import templates

LETTERS = "XYZWVUTSRQ"
SLOT = re.compile(r"“?\{(\w+)\}”?")
MARK = re.compile(r"\[([A-Z])\]")
PLACES = 0xE000  # private characters stand for facts until their letters are known


class Rewording:
    """Re-words one sentence by a writer of frames; the `Generator` of `leaving`."""

    def __init__(self, write: Callable[[str], str]) -> None:
        """Take the writer: a wording of a frame, empty where it has none."""
        self._write = write

    def reword(self, sentence: Sentence, _question: str) -> str:
        """The sentence in other words, or as it is; the question is not read."""
        frame, values = framed(sentence)
        said = self._write(frame) if values and not CHINESE.search(frame) else ""
        return filled(said, values) or sentence.text


def framed(sentence: Sentence) -> tuple[str, dict[str, str]]:
    """A sentence with a letter for each fact that it shows, in order, and what each stands for, quotes included."""
    text = sentence.text
    held: list[str] = []
    for fact in sorted(sentence.facts, key=lambda fact: -len(fact.shown)):
        shown = re.escape(fact.shown)
        found = re.search(rf"“{shown}”|(?<![\w.]){shown}(?!\w)", text) if shown else None
        if found:
            text = text[: found.start()] + chr(PLACES + len(held)) + text[found.end() :]
            held.append(found.group())
    order = [ord(one) - PLACES for one in text if PLACES <= ord(one) < PLACES + len(held)]
    if len(order) > len(LETTERS):
        return sentence.text, {}
    letters = dict(zip(order, LETTERS, strict=False))
    for place, letter in letters.items():
        text = text.replace(chr(PLACES + place), f"[{letter}]")
    return text, {letter: held[place] for place, letter in letters.items()}


def filled(frame: str, values: Mapping[str, str]) -> str:
    """A frame with its facts; empty unless it has each of them once."""
    if sorted(MARK.findall(frame)) != sorted(values):
        return ""
    return MARK.sub(lambda found: values[found[1]], frame)


@cache
def wordings() -> dict[str, list[str]]:
    """Wordings of English templates by name, from `wordings.json`."""
    text = resources.files("pipeline.answering").joinpath("wordings.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def frames() -> dict[str, str]:
    """Of every English template that shows facts, its frame."""
    return {name: _lettered(one["en"], one["en"]) for name, one in templates().items() if SLOT.search(one["en"])}


def pairs() -> dict[str, list[tuple[str, str]]]:
    """By template, its frame with each wording, in the frame's letters."""
    known = frames()
    return {
        name: [(known[name], _lettered(one, templates()[name]["en"])) for one in said]
        for name, said in wordings().items()
    }


def example(name: str, values: Mapping[str, str]) -> Sentence:
    """An English template filled with values by slot."""
    text = templates()[name]["en"]
    facts = [Fact("example", name, slot, values[slot]) for slot in SLOT.findall(text)]
    return Sentence(text.format(**values), tuple(facts))


def _lettered(text: str, template: str) -> str:
    letters = dict(zip(SLOT.findall(template), LETTERS, strict=False))
    return SLOT.sub(lambda found: f"[{letters[found[1]]}]", text)
