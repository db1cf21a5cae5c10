"""Batches of like length against their laws, and padding against a loop."""

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.batching import batches, padded


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_every_text_is_read_once_shortest_first_and_no_batch_is_too_large(lengths, tokens):
    found = batches(lengths, tokens)
    order = [place for part in found for place in part]
    assert order == sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    assert all(len(part) == 1 or len(part) * lengths[part[-1]] <= tokens for part in found)
    for part, later in pairwise(found):  # none could have taken one more
        assert (len(part) + 1) * lengths[later[0]] > tokens


def test_padding_fills_up_to_the_longest():
    told = padded([[5, 6], [7], [8, 9, 1]], 3)
    assert told["input_ids"].tolist() == [[5, 6, 3], [7, 3, 3], [8, 9, 1]]
    assert told["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert {value.dtype for value in told.values()} == {torch.int64}
