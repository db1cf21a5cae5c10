"""Balance the night: of last night's lists and tonight's free ones make what readers get.

Not here: the rules themselves (`pipeline.balance`), and how the operating point is found (`stages.operating_point`).
"""

from collections import defaultdict
from typing import Any

import pyarrow as pa

from pipeline.balance.operating_point import facts
from pipeline.contracts.tables import (
    CART_RECOMMENDATIONS,
    CHANGE_LEDGER,
    EXPERIENCE,
    OPERATING_POINT,
    RECOMMENDATIONS,
)
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import attribution, balance_figures, balance_notes, desk, free_lists, score_recommendations
from pipeline.stages.balance_rows import item_rows, tables
from pipeline.stages.blocks import balanced, blocks_of, core
from pipeline.stages.gate import note_json
from pipeline.stages.operating_point import take, unmeasured
from pipeline.stages.reasons import Reasons
from pipeline.stages.scene import Scene
from pipeline.tables import operating_point as table
from pipeline.warehouse.staging import Staging

MADE = (RECOMMENDATIONS, CART_RECOMMENDATIONS, EXPERIENCE, CHANGE_LEDGER, OPERATING_POINT)


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Take an operating point; stage the lists, what they are like and what changed in them."""
    scene = Scene(night)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    taken = take(scene, serves, progress) if serves else unmeasured(scene.policy)
    words, point = Reasons.of(scene, serves), taken.chosen.point
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    parts[CART_RECOMMENDATIONS.name].append(item_rows(scene, words))
    points = facts(taken.measured, taken.chosen, taken.bounds)
    parts[OPERATING_POINT.name].append(table.rows(points, OPERATING_POINT.schema))
    shared = core(scene, free_lists.read_bare(night, score_recommendations.TONIGHT)) if serves else None
    done = 0
    for block in blocks_of(scene, common=not serves):
        for name, made in tables(scene, words, block, balanced(scene, block, shared, point)).items():
            parts[name].append(made)
        done += len(block.company.users)
        progress(done, len(scene.consents[0]))
    made_of = {one.name: pa.concat_tables(parts[one.name]) for one in MADE}
    staging = Staging.open(night.warehouse, night.day, night.run)
    files = [staging.write(one, made_of[one.name]) for one in MADE]
    titles = dict(zip(scene.inputs.space.ids.to_pylist(), words.titles, strict=True))
    experience, ledger = made_of[EXPERIENCE.name], made_of[CHANGE_LEDGER.name]
    balance_notes.leave(balance_notes.Night(experience, ledger, points, taken.chosen, titles), scene.policy, recorder)
    balance_figures.leave(recorder, scene, taken, made_of)
    attribution.leave(recorder, scene, serves, made_of[RECOMMENDATIONS.name])
    if words.words:
        note_json(recorder, "importance", words.words.tally.means(words.words.order.columns))
    rows = {file.name: file.rows for file in files}
    recorder.metrics({f"rows/{name}": count for name, count in rows.items()})
    desk.note(night, "balanced", {"rows": rows})
    return {"rows": rows}
