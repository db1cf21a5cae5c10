"""Making up for exposure: a group of goods that lists show beyond what it merits loses log-odds, night by night.

Not here: what groups get and merit (`audit.exposure`), and lists (`surface`).
Shapes: U users, N candidates, I items.
"""

import math

import numpy as np
import pyarrow as pa

from pipeline.balance.blend import DIGITS
from pipeline.balance.surfaces import Ranked
from pipeline.policy import Policy


def penalties(last: pa.Table | None, policy: Policy) -> dict[tuple[str, str], float]:
    """What each group of goods loses tonight, in log-odds, by axis and name; below 0 it gains.

    What it lost last night, and a share of the log of how far its ratio lay beyond the bounds: a group within them
    keeps what it has, so that it stays there (integral control with a dead band).

    Args:
        last: item_exposure of the snapshot before; None without one.
        policy: `bounds.exposure_low` and `exposure_high`, `audit.penalty_step` and `penalty_most`.
    """
    bounds, rules, found = policy.bounds, policy.audit, {}
    for row in [] if last is None else last.to_pylist():
        ratio = row["exposure_ratio"]
        beyond = 0.0
        if ratio is not None:
            within = min(max(ratio, bounds.exposure_low), bounds.exposure_high)
            beyond = math.log(max(ratio, 1e-9) / within)
        lost = row["exposure_penalty"] + rules.penalty_step * beyond
        found[row["axis"], row["group_name"]] = round(min(max(lost, -rules.penalty_most), rules.penalty_most), 6)
    return found


def weighed(ranked: Ranked, penalty: np.ndarray) -> Ranked:
    """Candidates in the order of their scores less what their groups lose, ties by item.

    Args:
        ranked: [U, N], scores in log-odds.
        penalty: float [I].
    """
    if not penalty.any():
        return ranked
    named = ranked.items >= 0
    scores = np.where(named, np.round(ranked.scores - penalty[ranked.items], DIGITS), -np.inf)
    order = np.lexsort((ranked.items, -scores), axis=-1)
    scores = np.where(named, scores, ranked.scores)
    return Ranked(*(np.take_along_axis(one, order, axis=1) for one in (ranked.items, scores)))
