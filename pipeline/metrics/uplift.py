"""Whether a score finds those on whom a contact works: Qini and uplift curves of contacts decided by chance.

Every case weighs the inverse of its arm's chance, so shares held out may differ between campaigns. Areas compare only
within one implementation: the coefficient says where a score stands between random order (0) and a perfect one (1).
Not here: how the effect is learned (`models.uplift`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.intervals import Interval, bootstrap_statistic

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Gain by share of users, those of highest score first.

    Attributes:
        share: [P] weighted share of users so far, from 0 to 1; one point where equal scores end.
        gain: [P] what contacting them brings more than leaving them, a user of all.
    """

    share: Reals
    gain: Reals

    @property
    def area(self) -> float:
        """By the trapezoid rule."""
        return float(np.trapezoid(self.gain, self.share))

    @property
    def random_area(self) -> float:
        """That of the straight line to the same end: users in random order."""
        return float(self.gain[-1] / 2)


def qini_curve(outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> Curve:
    """Outcomes of the contacted, less those of the others blown up to as many: R_t - R_c N_t / N_c, over all N_t.

    Args:
        outcome: [N] 0 or 1.
        treated: [N] 0 or 1, contacted or not, decided by chance.
        score: [N] by which users are taken, high first.
        chance: [N] of contact, above 0 and below 1.

    Raises:
        ValueError: one arm is empty.

    Source: Radcliffe 2007.
    """
    share, (all_t, all_c, out_t, out_c) = _sums(outcome, treated, score, chance)
    return Curve(share, (out_t - out_c * _over(all_t, all_c)) / all_t[-1])


def uplift_curve(outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> Curve:
    """Difference of the arms' mean outcomes among the users so far, times their share; arguments as of `qini_curve`.

    Source: Gutierrez and Gérardy 2017.
    """
    share, (all_t, all_c, out_t, out_c) = _sums(outcome, treated, score, chance)
    return Curve(share, (_over(out_t, all_t) - _over(out_c, all_c)) * share)


def perfect_score(outcome: Reals, treated: Reals) -> Reals:
    """The order no score can beat, contacted with an outcome first and others with one last: [N]."""
    return np.asarray(outcome * np.where(treated > 0, 1.0, -1.0))


Draw = Callable[[Reals, Reals, Reals, Reals], Curve]


def coefficient(draw: Draw, outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> float:
    """Area above random order, over that of a perfect one: 0 is random, 1 perfect, below 0 worse than random.

    Raises:
        ValueError: one arm is empty, or a perfect order gains nothing over a random one.
    """
    mine = draw(outcome, treated, score, chance)
    perfect = draw(outcome, treated, perfect_score(outcome, treated), chance)
    room = perfect.area - perfect.random_area
    if not room > 1e-12:
        raise ValueError("no outcomes that any order could tell apart")
    return (mine.area - mine.random_area) / room


def qini(outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> float:
    """The Qini coefficient."""
    return coefficient(qini_curve, outcome, treated, score, chance)


def auuc(outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> float:
    """Area under the uplift curve, in outcomes a user."""
    return uplift_curve(outcome, treated, score, chance).area


def effect(outcome: Reals, treated: Reals, chance: Reals) -> float:
    """Mean effect of a contact: weighted mean outcome of the contacted less that of the others.

    Raises:
        ValueError: one arm is empty.
    """
    _share, (all_t, all_c, out_t, out_c) = _sums(outcome, treated, np.zeros(len(outcome)), chance)
    return float(out_t[-1] / all_t[-1] - out_c[-1] / all_c[-1])


def told(
    outcome: Reals, treated: Reals, score: Reals, chance: Reals, *, seed: int, draws: int = 500
) -> dict[str, Interval]:
    """Qini coefficient and AUUC with bootstrap intervals over users, beside the areas of random and perfect orders."""
    cases = (outcome, treated, score, chance)
    out = {
        "qini": bootstrap_statistic(qini, *cases, n=draws, seed=seed),
        "auuc": bootstrap_statistic(auuc, *cases, n=draws, seed=seed),
    }
    best = perfect_score(outcome, treated)
    for name, draw in (("qini", qini_curve), ("auuc", uplift_curve)):
        for order, by in (("model", score), ("random", np.zeros(len(score))), ("perfect", best)):
            area = draw(outcome, treated, by, chance).area
            out[f"{name}_area/{order}"] = (area, area, area)
    return out


def _sums(outcome: Reals, treated: Reals, score: Reals, chance: Reals) -> tuple[Reals, tuple[Reals, ...]]:
    """Share of users, and of each arm its weight and outcomes, summed up to where equal scores end, 0 first."""
    order = np.argsort(-score, kind="stable")
    weight = np.where(treated > 0, 1 / chance, 1 / (1 - chance))
    arms = (weight * (treated > 0), weight * (treated <= 0))
    if not all(arm.any() for arm in arms):
        raise ValueError("one arm is empty: an effect is told by contacted and others together")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    sums = tuple(np.r_[0.0, np.cumsum(values[order])[ends]] for values in (*arms, *(arm * outcome for arm in arms)))
    users = sums[0] + sums[1]
    return users / users[-1], sums


def _over(above: Reals, below: Reals) -> Reals:
    """Their ratio; 0 where nobody stands below."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
