"""What a replay shows: accuracy, consistency, coherence, calibration, exposure, parity and freshness of its nights.

Not here: living nights through (`replay`), and choosing among points (`operating_point`).
Shapes: U users of a night, K places, I items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import scipy.sparse as sp

from pipeline.balance import coherence
from pipeline.balance.coherence import Shown
from pipeline.balance.operating_point import Measured
from pipeline.balance.point import Point
from pipeline.balance.replay import Lived
from pipeline.balance.surface import ACTIVE, IDLE
from pipeline.metrics import exposure, intervals, list_calibration, ranking

HOME, TOP = "home", 10


@dataclass(frozen=True)
class Groups:
    """What fairness is measured by.

    Attributes:
        item: int [I] group of each item, 0 and up.
        merit: float [I] what of the exposure it deserves, such as its share of recent buyers.
        user: int [U] group of each user.
    """

    item: np.ndarray
    merit: np.ndarray
    user: np.ndarray


def accuracy(lived: Lived, truth: sp.csr_matrix) -> dict[str, np.ndarray]:
    """NDCG@10 and recall@10 of home against what users took afterwards: float [U], nan for who took nothing.

    Args:
        lived: the night.
        truth: bool CSR [U, I].
    """
    counts = np.diff(truth.indptr)
    took = np.flatnonzero(counts)
    hits = ranking.relevance(lived.shown(HOME)[took], truth[took])
    found = {"ndcg@10": ranking.ndcg_at, "recall@10": ranking.recall_at}
    out = {name: np.full(len(counts), nan) for name in found}
    for name, measure in found.items():
        out[name][took] = measure(hits, counts[took], TOP)
    return out


def idle_rbo(lived: Lived) -> tuple[np.ndarray, np.ndarray]:
    """Overlap with the night before of every list of an idle user who has one: the values, and whose they are."""
    values, users = [np.zeros(0)], [np.zeros(0, np.int64)]
    for one, measured in zip(lived.lists, lived.measures, strict=True):
        some = (one.state == IDLE) & (measured.size > 0)
        values.append(measured.rbo[some])
        users.append(one.users[some])
    return np.concatenate(values), np.concatenate(users)


def figures(lived: Lived, groups: Groups) -> dict[str, float]:
    """A night's figures, by name; nan where there is nothing to measure, as on a first night.

    Means are over lists of all surfaces that hold anything: `idle_` over those of idle users. `above_floor` is how far
    the worst list with a promised floor stays above it, `under_floor` how many do not. Exposure, personalisation and
    the long tail are home's.
    """
    rbo, whose = idle_rbo(lived)
    pairs = list(zip(lived.lists, lived.measures, strict=True))
    spare = np.concatenate([measured.rbo - measured.rbo_floor for _, measured in pairs])
    spare = spare[~np.isnan(spare)]
    idle = [(one.state == IDLE) & (measured.size > 0) for one, measured in pairs]
    places = sum(int(some.sum()) * one.after.shape[1] for (one, _), some in zip(pairs, idle, strict=True))
    changed = sum(int(one.voluntary[some].sum()) for (one, _), some in zip(pairs, idle, strict=True))
    churn = np.concatenate([measured.churn[measured.size > 0] for _, measured in pairs])
    distance = np.concatenate([measured.calibration_kl for _, measured in pairs])
    active = np.concatenate([(one.state == ACTIVE) & (measured.size > 0) for one, measured in pairs])
    stale = np.concatenate([measured.is_stale for _, measured in pairs])
    has_list = np.zeros(len(lived.evening.users), bool)
    for one, measured in pairs:
        has_list[one.users[measured.size > 0]] = True
    mean, tail = list_calibration.mean_and_tail(distance)
    home = lived.shown(HOME)
    seen = exposure.exposure(home, len(lived.evening.ids))
    ratios = exposure.exposure_ratio(seen, groups.merit, groups.item)
    return {
        "idle_rbo": _mean(rbo),
        "idle_rbo_least": float(rbo.min(initial=1)) if len(rbo) else nan,
        "above_floor": float(spare.min()) if len(spare) else nan,
        "under_floor": float((spare < 0).sum()),
        "idle_churn": changed / places if places else nan,
        "churn": _mean(churn),
        "coherence": _mean(lived.measures[0].coherence),
        "calibration_kl": mean,
        "calibration_kl_p95": tail,
        "contradicted": len(contradicted(lived)) / max(int(has_list.sum()), 1),
        "exposure_low": float(np.nanmin(ratios)) if np.isfinite(ratios).any() else nan,
        "exposure_high": float(np.nanmax(ratios)) if np.isfinite(ratios).any() else nan,
        "exposure_gini": exposure.gini(seen),
        "long_tail": exposure.aplt(home, exposure.long_tail(groups.merit)),
        "personalisation": exposure.inter_user_distance(home[(home >= 0).any(1)], len(lived.evening.ids)),
        "parity_gap": exposure.largest_gap(rbo, groups.user[whose]) if len(rbo) else nan,
        "stale": float(stale[active].mean()) if active.any() else nan,
        "idle_lists": float(len(rbo)),
        "users": float(has_list.sum()),
    }


def contradicted(lived: Lived) -> np.ndarray:
    """Users at whom any rule of the contract breaks, ascending."""
    shown = []
    for one in lived.lists:
        row, place = np.nonzero(one.after >= 0)
        shown.append(Shown(one.surface, one.users[row], one.after[row, place]))
    return coherence.contradictions(lived.evening.facts, shown).users


def ratio(ours: np.ndarray, theirs: np.ndarray, seed: int) -> intervals.Interval:
    """Mean of ours over mean of theirs with its 95 % interval, over the same users, of whom those with a value count.

    Source: Efron 1979, users resampled in pairs.
    """
    known = ~(np.isnan(ours) | np.isnan(theirs))
    if not known.any() or not theirs[known].any():
        return nan, nan, nan

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        if not b.any():
            raise ValueError("no hit in this resample")
        return float(a.mean() / b.mean())

    return intervals.bootstrap_statistic(statistic, ours[known], theirs[known], n=2000, seed=seed)


def measure(
    point: Point, nights: Sequence[Lived], truth: sp.csr_matrix, free: np.ndarray, groups: Groups, seed: int
) -> Measured:
    """What a point gave: idle overlap and parity over all nights, all else on the last, whose truth is known.

    Args:
        point: the operating point.
        nights: lived under it, of the same users, oldest first.
        truth: bool CSR [U, I] what users took after the last night.
        free: float [U] NDCG@10 of the free lists of the last night, as of `accuracy`.
        groups: of the last night.
        seed: of the bootstrap.
    """
    last = figures(nights[-1], groups)
    value, low, _ = ratio(accuracy(nights[-1], truth)["ndcg@10"], free, seed)
    rbo, whose = (np.concatenate(parts) for parts in zip(*map(idle_rbo, nights), strict=True))
    return Measured(
        point=point,
        accuracy=value,
        accuracy_lower=low,
        stability=_mean(rbo),
        coherence=last["coherence"],
        calibration=last["calibration_kl"],
        exposure=(last["exposure_low"], last["exposure_high"]),
        parity=exposure.largest_gap(rbo, groups.user[whose]) if len(rbo) else nan,
        personalisation=last["personalisation"],
    )


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else nan
