"""What leaves: sentences that pass the copy check, one of them re-worded where that says the same.

Not here: the check (`copying`), and what is answered (`answerer`, `shelf`).
"""

from dataclasses import replace
from typing import Protocol

from pipeline.answering.copying import is_copied, rewords
from pipeline.answering.facts import Reply, Sentence
from pipeline.answering.words import say

REWORDED = 1  # sentences of a reply that a generator may re-word: one retrieved fact each


class Generator(Protocol):
    """Re-words one sentence. What it writes is used only if it says the same."""

    def reword(self, sentence: Sentence, question: str) -> str:
        """The sentence in other words."""


def checked(reply: Reply, question: str, generator: Generator | None) -> Reply:
    """The reply, re-worded where that says the same; what fails the copy check never leaves."""
    said = tuple(sentence for sentence in reply.sentences if is_copied(sentence))
    if len(said) < len(reply.sentences) and not any(sentence.facts for sentence in said):
        unknown = (say("unknown", reply.language),)
        return replace(reply, sentences=unknown, abstained=True, confidence=0.0, notes={"dropped": "all"})
    return replace(reply, sentences=_reworded(said, question, generator))


def _reworded(said: tuple[Sentence, ...], question: str, generator: Generator | None) -> tuple[Sentence, ...]:
    if generator is None:
        return said
    out, left = [], REWORDED
    for sentence in said:
        if sentence.facts and left:
            left -= 1
            text = generator.reword(sentence, question)
            out.append(Sentence(text, sentence.facts) if rewords(text, sentence) else sentence)
        else:
            out.append(sentence)
    return tuple(out)
