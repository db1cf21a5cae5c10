"""Balance the night: of last night's lists and tonight's free ones make what readers get.

Users come block by block, and their rows go to disk as they come: what a night holds at once does not grow with them.
Not here: the rules themselves (`pipeline.balance`), and how the operating point is found (`stages.operating_point`).
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import at_work
from pipeline.balance.operating_point import facts
from pipeline.balance.point import Point
from pipeline.contracts.tables import (
    CART_RECOMMENDATIONS,
    CHANGE_LEDGER,
    EXPERIENCE,
    OPERATING_POINT,
    RECOMMENDATIONS,
)
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import (
    attribution,
    balance_figures,
    balance_notes,
    desk,
    free_lists,
    score_recommendations,
)
from pipeline.stages.balance_rows import ascending, item_rows, tables
from pipeline.stages.blocks import Block, balanced, blocks_of, core
from pipeline.stages.gate import note_json
from pipeline.stages.operating_point import take, unmeasured
from pipeline.stages.reasons import Reasons
from pipeline.stages.scene import Scene
from pipeline.tables import operating_point as table
from pipeline.warehouse.manifest import TableFile
from pipeline.warehouse.staging import Staging

OF_USERS = (RECOMMENDATIONS, CART_RECOMMENDATIONS, EXPERIENCE, CHANGE_LEDGER)


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Take an operating point; stage the lists, what they are like and what changed in them."""
    scene = Scene(night)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    taken = take(scene, serves, progress) if serves else unmeasured(scene.policy)
    points = facts(taken.measured, taken.chosen, taken.bounds)
    staging = Staging.open(night.warehouse, night.day, night.run)
    files = [staging.write(OPERATING_POINT, table.rows(points, OPERATING_POINT.schema))]
    files += _staged(scene, staging, serves, taken.chosen.point, recorder, progress)
    titles = dict(zip(*(scene.inputs.catalogue.column(name).to_pylist() for name in ("item_id", "title")), strict=True))
    noted = balance_notes.Night(staging, desk.connect(night), points, taken.chosen, titles)
    balance_notes.leave(noted, scene.policy, recorder)
    home = staging.read(RECOMMENDATIONS.name, ["user_key", "rank", "item_id"], pc.field("surface") == "home")
    balance_figures.leave(recorder, scene, taken, staging.read(EXPERIENCE.name, balance_figures.READ), home)
    attribution.leave(recorder, scene, serves, home)
    counts = {file.name: file.rows for file in files}
    recorder.metrics({f"rows/{name}": count for name, count in counts.items()})
    desk.note(night, "balanced", {"rows": counts})
    return {"rows": counts}


def _staged(
    scene: Scene, staging: Staging, serves: str | None, point: Point, recorder: JsonRecorder, progress: desk.Progress
) -> list[TableFile]:
    """Stage what is of users, and note what words were made of; what words need is let go of afterwards."""
    words = Reasons.of(scene, serves)
    with ExitStack() as stack:
        parts = {one.name: stack.enter_context(staging.parts(one)) for one in reversed(OF_USERS)}
        for made in ascending(_made(scene, words, point, progress, common=not serves)):
            for name, rows in made.items():
                parts[name].add(rows)
        parts[CART_RECOMMENDATIONS.name].add(item_rows(scene, words))  # the word for them comes after the baskets'
    if words.words:
        note_json(recorder, "importance", words.words.tally.means(words.words.order.columns))
    return [one.facts for one in parts.values()]


def _made(
    scene: Scene, words: Reasons, point: Point, progress: desk.Progress, *, common: bool
) -> Iterator[tuple[str, Mapping[str, pa.Table]]]:
    """The first user's key and the rows of each block."""
    ranked = free_lists.read_bare(scene.night, score_recommendations.TONIGHT)
    shared, done = None if common else core(scene, ranked), 0

    def work(block: Block) -> tuple[pa.Array, Mapping[str, pa.Table], Reasons]:
        own = words.apart()
        return block.company.users, tables(scene, own, block, balanced(scene, block, shared, point)), own

    for users, rows, own in at_work.each(work, blocks_of(scene, common=common), scene.night.shop.threads):
        if words.words and own.words:
            words.words.tally.join(own.words.tally)  # in the order of the blocks, so that sums are the same each time
        yield users[0].as_py(), rows
        done += len(users)
        progress(done, len(scene.consents[0]))
