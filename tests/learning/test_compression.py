"""Smaller encoders: eight bits read nearly the same, which layers stay, what a student is taught."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from transformers import AutoModel

from pipeline.learning import compression


def test_an_encoder_in_eight_bits_reads_nearly_the_same(tiny_bert):
    body = AutoModel.from_pretrained(tiny_bert, add_pooling_layer=False).eval()
    tokens = {"input_ids": torch.arange(12).reshape(2, 6) + 1000}
    with torch.inference_mode():
        before = body(**tokens).last_hidden_state
        compression.quantise(body)
        after = body(**tokens).last_hidden_state
    assert not any(isinstance(part, torch.nn.Linear) for part in body.encoder.modules())
    assert not any(value.requires_grad for value in body.parameters())
    assert torch.nn.functional.cosine_similarity(before, after, dim=-1).min() > 0.999
    assert not torch.equal(before, after)


@given(st.integers(1, 24), st.data())
def test_a_student_keeps_distinct_layers_in_order_and_the_last(layers, data):
    depth = data.draw(st.integers(1, layers))
    kept = compression.spread(layers, depth)
    assert len(set(kept)) == depth
    assert kept == sorted(kept)
    assert kept[-1] == layers - 1
    assert compression.spread(layers, layers) == list(range(layers))


def test_dropped_layers_are_gone(tiny_bert):
    body = AutoModel.from_pretrained(tiny_bert, add_pooling_layer=False)
    last = body.encoder.layer[1]
    compression.keep_layers(body, [1])
    assert list(body.encoder.layer) == [last]
    assert body.config.num_hidden_layers == 1


def test_a_lesson_is_half_the_label_and_half_the_softened_teacher():
    logits, truth = np.array([[4.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    told = compression.lesson(logits, truth)
    assert told.dtype == np.float32
    assert np.allclose(told[0], [0.5 + softmax([2, 0])[0] / 2, softmax([2, 0])[1] / 2])
    assert np.allclose(told[1], [0.25, 0.75])
