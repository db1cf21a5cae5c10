"""The table of open questions: groups that enough different people asked, without words of a few.

Inputs: questions of dialogues that ended without an answer, their group, intent and day.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts.tables import OPEN_QUESTIONS
from pipeline.models.open_questions import NUMBER, Questions, masked, shared, words
from pipeline.models.tokens import GLUE

WORDS, EXAMPLES = 8, 3


def rows(questions: Questions, group: np.ndarray, wanted: Sequence[str], days: Sequence[date], floor: int) -> pa.Table:
    """One row a group of at least `floor` askers, most asked by most people first.

    Args:
        questions: N of them.
        group: int [N].
        wanted: intent of each.
        days: local day of each.
        floor: different people under whom nothing is told: of a group, of a word, of a way to ask.
    """
    held: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(group.tolist()):
        held[one].append(place)
    found: list[dict[str, Any]] = []
    for places in held.values():
        part = Questions([questions.texts[one] for one in places], [questions.askers[one] for one in places])
        if len(set(part.askers)) < floor:
            continue
        known = shared(part, floor)
        telling = [set(words(text)) - GLUE - {NUMBER} for text in part.texts]
        shown = [{masked(text, known)} - {""} for text in part.texts]
        found.append(
            {
                "wanted": _commonest([wanted[one] for one in places]),
                "times_asked": len(places),
                "askers": len(set(part.askers)),
                "common_words": _said_by(telling, part.askers, floor)[:WORDS],
                "example_questions": _said_by(shown, part.askers, floor)[:EXAMPLES],
                "first_asked_on": min(days[one] for one in places),
                "last_asked_on": max(days[one] for one in places),
            }
        )
    found.sort(key=lambda row: (-row["askers"], -row["times_asked"], row["wanted"], row["common_words"]))
    ranked = [{"rank": rank} | row for rank, row in enumerate(found, start=1)]
    return pa.Table.from_pylist(ranked, OPEN_QUESTIONS.schema)


def _commonest(names: Sequence[str]) -> str:
    return min(Counter(names).items(), key=lambda one: (-one[1], one[0]))[0]


def _said_by(said: Sequence[set[str]], askers: Sequence[str], floor: int) -> list[str]:
    """What at least `floor` different people said, by how many, then in order."""
    people = defaultdict(set)
    for ones, asker in zip(said, askers, strict=True):
        for one in ones:
            people[one].add(asker)
    kept = [(one, len(who)) for one, who in people.items() if len(who) >= floor]
    return [one for one, _ in sorted(kept, key=lambda pair: (-pair[1], pair[0]))]
