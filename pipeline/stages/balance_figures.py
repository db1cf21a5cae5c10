"""The night's figures of the balance as metrics of its run, so that nights compare.

Not here: the figures themselves (`balance.summary`), and counts and samples for the page (`stages.balance_notes`).
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.balance import summary
from pipeline.contracts.tables import EXPERIENCE, RECOMMENDATIONS
from pipeline.record import JsonRecorder
from pipeline.stages import consenting
from pipeline.stages.evenings import thirds
from pipeline.stages.operating_point import Taken
from pipeline.stages.scene import Scene


def leave(recorder: JsonRecorder, scene: Scene, taken: Taken, made: Mapping[str, pa.Table]) -> None:
    """Note the figures, the policy they came about by, and whether there was a night to compare with.

    Args:
        recorder: of the stage.
        scene: of the night.
        taken: its operating point.
        made: the rows it stages, by table.
    """
    policy, experience = scene.policy, made[EXPERIENCE.name]
    home = made[RECOMMENDATIONS.name].filter(pc.field("surface") == "home").select(["user_key", "rank", "item_id"])
    sizes = {str(name): surface.size for name, surface in policy.surfaces.items()}
    found = summary.figures(experience, home, sizes, _groups(scene, experience.column("user_key")))
    if taken.chosen.price is not None and np.isfinite(taken.chosen.price):
        found["price"] = taken.chosen.price
    recorder.metrics({f"balance/{name}": value for name, value in found.items()})
    recorder.params({"policy": policy.model_dump(mode="json")})
    recorder.tags(
        {
            "balance/baseline": str(scene.before.parent.id) if scene.before.parent else "no baseline",
            "balance/feasible": ("yes" if taken.chosen.feasible else "no") if taken.measured else "not replayed",
        }
    )


def _groups(scene: Scene, users: pa.ChunkedArray) -> np.ndarray:
    """Thirds of consenting users by how often they come: int [n] of rows of users, -1 for others."""
    served = consenting.served(scene.night, scene.history.users)
    group = np.full(len(scene.history.users) + 1, -1)
    if len(served):
        group[served] = thirds(scene.visits[served])
    place = pc.fill_null(pc.index_in(users, scene.history.users), len(scene.history.users))
    return np.asarray(group[np.asarray(place)])
