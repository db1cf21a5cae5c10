"""The text encoder on two random layers: its loss and hits against brute force, and the cache that spares encoding."""

import math
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.learning import champions
from pipeline.models import encoder as encoders
from pipeline.models.encoder import EmbeddingCache, Encoder, Pairs
from pipeline.record import JsonRecorder
from pipeline.settings import EncoderSettings, Training

TEXTS = ["milk, national brand", "oats and honey bars, private brand", "milk", "frozen pizza with ham, national brand"]


@pytest.fixture
def encoder(tiny_bert):
    return Encoder(tiny_bert, 16).eval()


def held(rows):
    names = ("item_id", "other_id", "together", "item_baskets", "other_baskets", "all_baskets")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


# --- vectors ---------------------------------------------------------------------------------------------------------


def test_vectors_are_the_masked_mean_of_the_last_layer_at_unit_length(encoder):
    vectors = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            mean = encoder.body(**encoder.tokens([text])).last_hidden_state[0].mean(0)
        assert np.allclose(vector, (mean / mean.norm()).numpy(), atol=1e-5)
    assert vectors.dtype == np.float32


def test_a_text_has_one_vector_whatever_stands_beside_it(encoder):
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.array_equal(together, encoder.encode(TEXTS))


def test_texts_that_are_tokenised_apart_stay_in_their_order(encoder, monkeypatch):
    together = encoder.encode(TEXTS)
    monkeypatch.setattr(encoders, "AT_ONCE", 3)
    assert np.allclose(encoder.encode(TEXTS), together, atol=1e-5)


def test_texts_past_the_limit_are_cut(encoder):
    words = " ".join(["milk"] * 40)
    assert np.allclose(*encoder.encode([words, words + " and a pizza"]), atol=1e-6)


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 32)


def test_saving_and_loading_keeps_every_bit(encoder, tmp_path):
    version = champions.keep(tmp_path, "encoder", encoder.save)
    assert champions.keep(tmp_path, "encoder", encoder.save) == version
    assert np.array_equal(encoders.load(tmp_path, version, 16).encode(TEXTS), encoder.encode(TEXTS))


# --- loss ------------------------------------------------------------------------------------------------------------


def info_nce(vectors, pairs):
    """Both directions, pair by pair; a text equal to the pair's own is no negative."""
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    total = 0.0
    for i in range(len(pairs)):
        for mine, others, own in ((left, right, i), (right, left, i)):
            score = [float(vectors[mine[i]] @ vectors[other]) / encoders.TEMPERATURE for other in others]
            allowed = [j for j in range(len(pairs)) if j == own or not clash(pairs, i, j, mine is left)]
            total += math.log(sum(math.exp(score[j]) for j in allowed)) - score[own]
    return total / (2 * len(pairs))


def clash(pairs, i, j, forward):
    row, column = (i, j) if forward else (j, i)
    return pairs[column][1] in (pairs[row][1], pairs[row][0])


@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3)], [(0, 1), (2, 1), (3, 0)], [(1, 2), (3, 2), (0, 3), (2, 0)]])
def test_the_loss_is_info_nce_over_both_directions(encoder, pairs):
    flat = torch.tensor(pairs).flatten()
    with torch.inference_mode():
        loss = encoder(encoder.tokens([TEXTS[i] for i in flat]), flat)["loss"].item()
    assert loss == pytest.approx(info_nce(encoder.encode(TEXTS).astype(np.float64), pairs), rel=1e-3)


def test_training_lowers_the_loss_and_moves_only_the_top_layers(encoder, tmp_path):
    pairs = Pairs(TEXTS, np.array([(0, 2), (1, 3)] * 8))
    training = Training(
        steps=8, warm_steps=2, batch_size=2, learning_rate=5e-3, warm_learning_rate=1e-3, eval_steps=4, patience=3
    )
    settings = EncoderSettings(
        checkpoint="path:unused", item_text="{title}", max_tokens=16, trained_layers=1, pairs=16, judged_pairs=1,
        training=training,
    )  # fmt: skip
    flat = torch.from_numpy(np.array([0, 2, 1, 3]))

    def loss():
        with torch.inference_mode():
            return encoder.eval()(encoder.tokens([TEXTS[i] for i in flat]), flat)["loss"].item()

    before, start = loss(), {name: value.clone() for name, value in encoder.state_dict().items()}
    encoders.train(
        encoder, pairs, pairs, settings, warm=False, folder=tmp_path / "c", seed=1, recorder=JsonRecorder(tmp_path)
    )
    moved = {name for name, value in encoder.state_dict().items() if not torch.equal(value, start[name])}
    assert loss() < before
    assert moved
    assert all(".layer.1." in name for name in moved)


# --- pairs and hits --------------------------------------------------------------------------------------------------


def test_pairs_no_surer_than_chance_are_never_drawn():
    by_chance, sure, surer = (0, 1, 4, 100, 100, 1000), (1, 2, 40, 50, 50, 1000), (2, 3, 400, 450, 450, 1000)
    drawn = encoders.sample_pairs(held([by_chance, sure, surer]), TEXTS, 500, seed=2)
    assert sorted(set(map(tuple, drawn.pairs.tolist()))) == [(1, 2), (2, 3)]
    again = encoders.sample_pairs(held([by_chance, sure, surer]), TEXTS, 500, seed=2)
    assert (drawn.pairs == again.pairs).all()


def test_surer_pairs_are_drawn_more_often():
    weak, strong = (0, 1, 20, 100, 100, 1000), (2, 3, 80, 100, 100, 1000)
    drawn = encoders.sample_pairs(held([weak, strong]), TEXTS, 500, seed=2).pairs
    assert (drawn[:, 0] == 2).sum() > 2 * (drawn[:, 0] == 0).sum() > 0


def test_baskets_without_sure_pairs_give_none():
    assert encoders.sample_pairs(held([(0, 1, 4, 100, 100, 1000)]), TEXTS, 5, seed=0).pairs.shape == (0, 2)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_partner_hits_count_those_nearer_than_the_partner(k):
    draw = np.random.default_rng(4)
    vectors = draw.normal(size=(15, 4)).astype(np.float32)
    pairs = np.array([(a, b) for a, b in draw.integers(15, size=(40, 2)) if a != b])
    plain = []
    for first, second in pairs:
        nearer = [t for t in range(15) if t != first and vectors[first] @ vectors[t] > vectors[first] @ vectors[second]]
        plain.append(float(len(nearer) < k))
    assert encoders.partner_hits(vectors, pairs, k).tolist() == plain


# --- cache -----------------------------------------------------------------------------------------------------------


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, encoder):
        self.encoder, self.asked = encoder, []

    def __call__(self):
        return self

    def encode(self, texts):
        self.asked += texts
        return self.encoder.encode(texts)


def test_only_unseen_texts_are_encoded_and_the_rest_comes_back_as_it_was(encoder, tmp_path):
    counting = Counting(encoder)
    first = EmbeddingCache(tmp_path, "v1").vectors(["a", "b"], TEXTS[:2], counting)
    assert np.array_equal(first, encoder.encode(TEXTS[:2]))
    both = EmbeddingCache(tmp_path, "v1").vectors(["c", "a", "b"], [TEXTS[2], *TEXTS[:2]], counting)
    assert np.array_equal(both[1:], first)
    assert np.array_equal(both[0], encoder.encode([TEXTS[2]])[0])
    assert counting.asked == TEXTS[:3]


def test_known_texts_load_no_encoder(encoder, tmp_path):
    cache = EmbeddingCache(tmp_path, "v1")
    cache.vectors(["a"], TEXTS[:1], lambda: encoder)
    kept = cache.vectors(["a"], TEXTS[:1], lambda: pytest.fail("loaded"))
    assert np.array_equal(kept, encoder.encode(TEXTS[:1]))
    assert cache.vectors([], [], lambda: pytest.fail("loaded")).shape == (0, 0)


def test_versions_share_nothing(encoder, tmp_path):
    counting = Counting(encoder)
    for version in ("v1", "v2"):
        EmbeddingCache(tmp_path, version).vectors(["a"], TEXTS[:1], counting)
    assert counting.asked == [TEXTS[0]] * 2


def test_a_version_is_what_it_holds_not_where_it_came_from(tiny_bert, tmp_path):
    moved = shutil.copytree(tiny_bert, tmp_path / "qzxv-moved")
    versions = {champions.keep(tmp_path, "encoder", Encoder(folder, 16).save) for folder in (tiny_bert, moved)}
    assert len(versions) == 1
    (version,) = versions
    kept = tmp_path / "encoder" / version
    assert all(b"qzxv-moved" not in path.read_bytes() for path in kept.iterdir())
    assert champions.keep(tmp_path, "encoder", encoders.load(tmp_path, version, 16).save) == version


# --- in eight bits ---------------------------------------------------------------------------------------------------


def test_eight_bits_read_nearly_the_same_and_are_kept_apart(encoder, tmp_path):
    version = champions.keep(tmp_path, "encoder", encoder.save)
    exact = encoder.encode(TEXTS)
    quick = encoders.load(tmp_path, version, 16, "int8").encode(TEXTS)
    assert not np.array_equal(quick, exact)
    assert (quick * exact).sum(1).min() > 0.995
    caches = [EmbeddingCache(tmp_path / "vectors", version, precision) for precision in ("float32", "int8")]
    found = [
        cache.vectors(["a"], TEXTS[:1], lambda one=one: encoders.load(tmp_path, version, 16, one))
        for cache, one in zip(caches, ("float32", "int8"), strict=True)
    ]
    assert not np.array_equal(*found)
