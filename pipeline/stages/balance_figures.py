"""The night's figures of the balance as metrics of its run, so that nights compare.

Not here: the figures themselves (`balance.summary`), and counts and samples for the page (`stages.balance_notes`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.balance import summary
from pipeline.contracts.tables import EXPERIENCE
from pipeline.record import JsonRecorder
from pipeline.stages import consenting
from pipeline.stages.evenings import thirds
from pipeline.stages.operating_point import Taken
from pipeline.stages.scene import Scene

READ = [name for name in EXPERIENCE.names if name != "voluntary_by_night"]


def leave(recorder: JsonRecorder, scene: Scene, taken: Taken, experience: pa.Table, home: pa.Table) -> None:
    """Note the figures, the policy they came about by, and whether there was a night to compare with.

    Args:
        recorder: of the stage.
        scene: of the night.
        taken: its operating point.
        experience: columns READ of the table.
        home: user_key, rank and item_id of home's lists.
    """
    policy = scene.policy
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
