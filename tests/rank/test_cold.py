"""Users of few events and items nobody took: what is left of the sequences, and that content finds what is new."""

import numpy as np

from pipeline.models.next_items import Sequences
from pipeline.rank import cold


def test_only_the_last_events_of_some_users_are_left() -> None:
    whole = Sequences(np.arange(9), np.array([0, 3, 3, 9]))
    left = cold.shortened(whole, np.array([1, 2]), 2)
    assert left.item.tolist() == [0, 1, 2, 7, 8] and left.start.tolist() == [0, 3, 3, 5]
    assert cold.shortened(whole, np.array([0]), 0).start.tolist() == [0, 0, 0, 6]


def test_a_tenth_of_the_items_is_struck() -> None:
    assert np.flatnonzero(cold.struck(30)).tolist() == [7, 17, 27]
