"""How sure is sure enough, and whom a model teaches itself from: against brute force, and the classes' shares."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning import self_training

CHANCE = st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]), st.booleans(), st.booleans()), max_size=25)


def chances(rows):
    return np.array([[1 - p, p] if first else [p, 1 - p] for p, first, _ in rows]).reshape(-1, 2)


@given(CHANCE, st.sampled_from([0.5, 0.75, 0.9, 1.0]))
def test_the_threshold_is_the_least_at_which_enough_are_right(rows, precision):
    chance, truth = chances(rows), np.array([int(one) for *_, one in rows], int)
    told, sure = chance.argmax(1), chance.max(1)
    for one, least in enumerate(self_training.thresholds(chance, truth, precision)):
        able = [
            cut
            for cut in sorted(set(sure[told == one]))
            if (truth[(told == one) & (sure >= cut)] == one).mean() >= precision
        ]
        assert least == (able[0] if able else np.inf)


@given(CHANCE, st.integers(0, 30), st.floats(0.05, 0.95))
def test_the_surest_are_taken_in_the_classes_shares(rows, most, share):
    chance, least = chances(rows), np.array([0.6, 0.7])
    places, told = self_training.pick(chance, least, np.array([share, 1 - share]), most)
    assert len(places) <= most
    assert (np.diff(places) > 0).all()
    assert (told == chance[places].argmax(1)).all()
    for one in range(2):
        mine = places[told == one]
        left = [n for n in range(len(chance)) if n not in mine and chance[n].argmax() == one]
        assert (chance[mine].max(1) >= least[one]).all()
        assert all(chance[n].max() <= chance[mine].max(1).min() for n in left if len(mine))
    if len(places):  # as many of each as its share allows, to the text
        total = max((told == one).sum() / part for one, part in enumerate((share, 1 - share)))
        assert all((told == one).sum() + 1 > total * part - 1e-6 for one, part in enumerate((share, 1 - share)))


def test_a_class_that_is_never_sure_teaches_nothing_of_the_others():
    chance = np.array([[0.1, 0.9]] * 5 + [[0.6, 0.4]])
    places, _ = self_training.pick(chance, np.array([np.inf, 0.5]), np.array([0.5, 0.5]), 9)
    assert not len(places)
