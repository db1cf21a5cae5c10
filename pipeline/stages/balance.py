"""Balance the night: of last night's lists and tonight's free ones make what readers get.

Not here: the rules themselves (`pipeline.balance`), and how the operating point is found (`stages.operating_point`).
"""

from collections import defaultdict
from typing import Any

import pyarrow as pa

from pipeline.balance.point import Point
from pipeline.contracts.tables import CART_RECOMMENDATIONS, CHANGE_LEDGER, EXPERIENCE, RECOMMENDATIONS
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.stages import desk
from pipeline.stages.balance_rows import item_rows, tables
from pipeline.stages.blocks import balanced, blocks_of, core
from pipeline.stages.reasons import Reasons
from pipeline.stages.scene import Scene
from pipeline.warehouse.staging import Staging

MADE = (RECOMMENDATIONS, CART_RECOMMENDATIONS, EXPERIENCE, CHANGE_LEDGER)


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Stage the lists, what they are like and what changed in them."""
    scene = Scene(night)
    serves = desk.noted(night, "judgement")["recommendations"]["serves"]
    words, point = Reasons.of(scene, serves), Point.start(scene.policy)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    parts[CART_RECOMMENDATIONS.name].append(item_rows(scene, words))
    shared, done = core(scene) if serves else None, 0
    for block in blocks_of(scene, common=not serves):
        for name, rows in tables(scene, words, block, balanced(scene, block, shared, point)).items():
            parts[name].append(rows)
        done += len(block.company.users)
        progress(done, len(scene.consents[0]))
    staging = Staging.open(night.warehouse, night.day, night.run)
    files = [staging.write(one, pa.concat_tables(parts[one.name])) for one in MADE]
    facts = {"rows": {file.name: file.rows for file in files}}
    recorder.metrics({f"rows/{name}": rows for name, rows in facts["rows"].items()})
    desk.note(night, "balanced", facts)
    return facts
