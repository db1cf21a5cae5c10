"""Which unlabelled texts a model may teach itself from, and as what: those it is sure of, in the classes' own shares.

How sure is sure is chosen on validation texts, for each class. Not here: training, which belongs to the models.
Sources: Xie et al. 2020, Noisy Student, https://arxiv.org/abs/1911.04252; balance of classes, Zou et al. 2018.
"""

import numpy as np

PRECISION = 0.9  # of validation texts told a class as surely, so many must be of it


def thresholds(chance: np.ndarray, truth: np.ndarray, precision: float = PRECISION) -> np.ndarray:
    """The least confidence by class from which validation texts are told rightly often enough.

    Args:
        chance: [V, C] probabilities of validation texts.
        truth: int [V].
        precision: share that must be right among those at least as sure.

    Returns:
        [C]; infinite for a class that is never told surely enough.
    """
    told, sure = chance.argmax(1), chance.max(1)
    found = np.full(chance.shape[1], np.inf)
    for one in range(chance.shape[1]):
        mine = np.flatnonzero(told == one)
        mine = mine[np.lexsort((mine, -sure[mine]))]
        right = np.cumsum(truth[mine] == one) / np.arange(1, len(mine) + 1)
        # Of equally sure ones the last counts: a threshold takes all of them.
        last = np.r_[sure[mine][1:] < sure[mine][:-1], True][: len(mine)]
        good = np.flatnonzero((right >= precision) & last)
        if len(good):
            found[one] = sure[mine[good[-1]]]
    return found


def pick(chance: np.ndarray, least: np.ndarray, shares: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts that are told surely enough, the surest first, each class in its share.

    Args:
        chance: [U, C] probabilities of unlabelled texts.
        least: [C] from `thresholds`.
        shares: [C] of the classes among labelled texts, summing to 1.
        most: texts at most.

    Returns:
        Their places, ascending, and their classes; none where a class that is labelled has none.
    """
    told, sure = chance.argmax(1), chance.max(1)
    able = [np.flatnonzero((told == one) & (sure >= least[one])) for one in range(len(least))]
    room = min((len(able[one]) / shares[one] for one in np.flatnonzero(shares > 0)), default=0.0)
    total = min(float(most), room)
    kept = [
        mine[np.lexsort((mine, -sure[mine]))][: int(total * share + 1e-9)]
        for mine, share in zip(able, shares, strict=True)
    ]
    places = np.sort(np.concatenate(kept))
    return places, told[places]
