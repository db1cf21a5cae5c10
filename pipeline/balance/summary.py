"""A night's balance in a few figures, from the rows it stages, so that nights compare in MLflow's table.

Not here: making the rows, judging them (`audit.promises`), counts by cause, and the figures of a replay (`replayed`).
Shapes: n rows of the experience table, one a user and surface.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.metrics import exposure, list_calibration


@dataclass(frozen=True)
class Rows:
    """Columns of the experience table, of lists that hold anything; nan for null.

    Attributes:
        user: int [n] number of the user.
        values: by column, [n].
    """

    user: np.ndarray
    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, experience: pa.Table) -> "Rows":
        """From the table."""
        shown = experience.filter(pc.field("list_size") > 0)
        names = [field.name for field in shown.schema if not pa.types.is_list(field.type)]
        values = {name: shown.column(name).to_numpy() for name in names if name != "user_key"}
        return cls(_codes(shown.column("user_key")), values)

    def state(self, name: str) -> np.ndarray:
        """Whose user is in a state: bool [n]."""
        return np.asarray(self.values["state"] == name)

    def users(self, which: np.ndarray) -> int:
        """Users of some rows (bool [n])."""
        return len(np.unique(self.user[which]))


def figures(experience: pa.Table, home: pa.Table, sizes: Mapping[str, int], group: np.ndarray) -> dict[str, float]:
    """The night's figures by name: `idle_rbo` of all surfaces, `idle_rbo/home` of one; what is not known is left out.

    Churn is the share of places replaced by choice. `idle_rbo_least` is of lists in which nothing had to change: they
    alone have a promised floor. Contradictions are users at whom a rule of the contract breaks; `stale_share` is of
    users with an event, `parity_gap` between groups of users in idle RBO.

    Args:
        experience: rows of the table.
        home: user_key, rank and item_id of home's lists.
        sizes: places of each surface's list.
        group: int [rows of experience] of the row's user; below 0 for who belongs to none.
    """
    rows = Rows.of(experience)
    group = group[experience.column("list_size").to_numpy() > 0]
    surface, idle, active = rows.values["surface"], rows.state("idle"), rows.state("active")
    places = np.array([sizes[name] for name in surface], np.int64)
    found = _lists(rows, np.ones(len(surface), bool), places)
    for name in sizes:
        found |= {f"{what}/{name}": value for what, value in _lists(rows, surface == name, places).items()}
    first = np.unique(rows.user, return_index=True)[1]
    mean, tail = list_calibration.mean_and_tail(rows.values["calibration_kl"])
    judged = idle & (group >= 0)
    found |= {
        "coherence": _mean(rows.values["coherence"][first]),
        "calibration_kl": mean,
        "calibration_kl_p95": tail,
        "contradictions": float(rows.users(rows.values["contradictions"] > 0)),
        "stale_share": rows.users(active & rows.values["is_stale"].astype(bool)) / max(rows.users(active), 1),
        "parity_gap": exposure.largest_gap(rows.values["rbo"][judged], group[judged]),
        "personalisation": _distance(home, sizes["home"]),
    }
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _lists(rows: Rows, which: np.ndarray, places: np.ndarray) -> dict[str, float]:
    """Of the lists of one surface, or of all."""
    found = {"forced": float(rows.values["forced"][which].sum())}
    for state in ("idle", "active"):
        some = which & rows.state(state)
        rbo = rows.values["rbo"][some]
        found |= {
            f"{state}_rbo": _mean(rbo),
            f"{state}_churn": rows.values["voluntary"][some].sum() / places[some].sum() if some.any() else np.nan,
        }
        if state == "idle":
            calm = rbo[~np.isnan(rows.values["rbo_floor"][some])]
            found["idle_rbo_least"] = float(calm.min()) if len(calm) else np.nan
    return found


def _distance(home: pa.Table, size: int) -> float:
    """Inter-user distance of home's lists."""
    home = home.filter(pc.field("rank") <= size)
    user, item = _codes(home.column("user_key")), _codes(home.column("item_id"))
    lists = np.full((int(user.max(initial=-1)) + 1, size), -1)
    lists[user, home.column("rank").to_numpy() - 1] = item
    return exposure.inter_user_distance(lists, int(item.max(initial=-1)) + 1)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """A number for each distinct value: int64 [n]."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices).astype(np.int64)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
