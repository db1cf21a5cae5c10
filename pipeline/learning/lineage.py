"""What each kept version learned from: all that had arrived by a day, and the versions it grew from or reads through.

Models hold no rows but learned from them, so an erasure marks those that did, and no later night goes on from one.
A version is named by its content alone; so this lies beside the store. Not here: the models' files (`champions`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from pipeline.warehouse import durable
from pipeline.warehouse.failpoints import Step

FOLDER = "lineage"


@dataclass(frozen=True)
class Lesson:
    """Of one version.

    Attributes:
        day: what had arrived by its end could be learned from.
        parents: `model/version` of those it grew from or reads through.
        knew_erased: it, or one it comes from, learned from users who have been erased since.
    """

    day: date
    parents: tuple[str, ...] = ()
    knew_erased: bool = False


def note(store: Path, name: str, lesson: Lesson) -> Lesson:
    """Note what a version was just trained on; of one made again, all days count. Gives it with what its parents knew.

    Who is erased is gone from all that trains, so a marked version that is made again without them, to the byte, and
    from parents that did not know them, loses its mark.

    Args:
        store: root of the model store.
        name: `model/version`.
        lesson: what it learned from.
    """
    before = known(store)
    same = before.get(name, lesson)
    stained = any(before[one].knew_erased for one in lesson.parents if one in before)
    parents = tuple(sorted({*lesson.parents, *same.parents} - {name}))
    told = Lesson(max(lesson.day, same.day), parents, stained)
    _write(store, name, told)
    return told


def known(store: Path) -> dict[str, Lesson]:
    """What is noted, by `model/version`; versions that are gone from the store included."""
    return {f"{path.parent.name}/{path.stem}": _read(path) for path in sorted(_folder(store).glob("*/*.json"))}


def taught_since(store: Path, day: date) -> list[str]:
    """`model/version` of those that could learn from what arrived on a day, themselves or by where they come from."""
    noted = known(store)
    taught = {name for name, lesson in noted.items() if lesson.day >= day}
    while more := {name for name, lesson in noted.items() if taught & {*lesson.parents}} - taught:
        taught |= more
    return sorted(taught)


def mark(store: Path, names: Sequence[str]) -> None:
    """Note that users whom these versions learned from have been erased; of what nothing is noted all days count."""
    noted = known(store)
    for name in names:
        lesson = noted.get(name, Lesson(date.max))
        if not lesson.knew_erased:
            _write(store, name, Lesson(lesson.day, lesson.parents, knew_erased=True))


def knew_erased(store: Path, name: str) -> bool:
    """Whether `model/version` learned from somebody who has been erased since."""
    path = _folder(store) / f"{name}.json"
    return path.exists() and _read(path).knew_erased


def _folder(store: Path) -> Path:
    return store.parent / FOLDER


def _read(path: Path) -> Lesson:
    facts = json.loads(path.read_text(encoding="utf-8"))
    return Lesson(date.fromisoformat(facts["day"]), tuple(facts["parents"]), facts["knew_erased"])


def _write(store: Path, name: str, lesson: Lesson) -> None:
    text = json.dumps(asdict(lesson) | {"day": str(lesson.day)}, indent=1, sort_keys=True)
    durable.put(_folder(store) / f"{name}.json", text, Step.NOTE)
