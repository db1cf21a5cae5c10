"""Masked-language pretraining: what is hidden, the loss against a plain sum, and that a shop's language is learned."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import NoData
from pipeline.learning import checkpoints, domain
from pipeline.learning.domain import IGNORED, MaskedModel
from pipeline.record import JsonRecorder, read_notes
from pipeline.settings import Training

SPECIAL = np.arange(200) < 5
MASK = 3
RATES = Training(
    steps=40, warm_steps=2, batch_size=8, learning_rate=1e-2, warm_learning_rate=1e-3, eval_steps=10, patience=9
)


@given(st.lists(st.integers(0, 199), min_size=1, max_size=60), st.integers(0, 99))
def test_only_words_are_hidden_and_the_truth_is_what_stood_there(ids, seed):
    found = domain.masked(ids, SPECIAL, MASK, np.random.default_rng(seed))
    words = [place for place, one in enumerate(ids) if one >= 5]
    if not words:
        assert found is None
        return
    shown, truth = found
    asked = np.flatnonzero(truth != IGNORED)
    assert len(asked) == max(1, round(0.15 * len(words)))
    assert set(asked) <= set(words)
    assert (truth[asked] == np.array(ids)[asked]).all()
    assert (np.delete(shown, asked) == np.delete(ids, asked)).all()
    assert all(one == MASK or one >= 5 for one in shown[asked])


def test_four_in_five_are_masked_one_in_ten_is_another_and_one_stays():
    rng, ids = np.random.default_rng(0), np.arange(5, 200)
    how = []
    for _ in range(200):
        shown, truth = domain.masked(ids, SPECIAL, MASK, rng)
        asked = truth != IGNORED
        how += [
            0 if one == MASK else 1 if one == true else 2 for one, true in zip(shown[asked], truth[asked], strict=True)
        ]
    assert np.allclose(np.bincount(how) / len(how), [0.8, 0.1, 0.1], atol=0.02)


def test_the_loss_is_the_cross_entropy_of_the_hidden_places_under_tied_embeddings(tiny_bert):
    model = MaskedModel(tiny_bert, 12).eval()
    rows = [{"input_ids": np.array([101, 2204, 5572, 102]), "truth": np.array([IGNORED, 2919, IGNORED, IGNORED])}]
    rows.append({"input_ids": np.array([101, 5572, 102]), "truth": np.array([IGNORED, 5572, IGNORED])})
    batch = domain._batch(rows, 0)
    assert batch["tokens"]["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    states = model.body(**batch["tokens"]).last_hidden_state
    losses = []
    for row, place, true in ((0, 1, 2919), (1, 1, 5572)):
        turned = model.norm(torch.nn.functional.gelu(states[row, place]))
        losses.append(-torch.log_softmax(model.body.embeddings.word_embeddings.weight @ turned, 0)[true].item())
    assert model(**batch)["loss"].item() == pytest.approx(np.mean(losses), abs=1e-4)


def test_a_shops_language_is_learned_and_kept_as_a_checkpoint(tiny_bert, tmp_path):
    texts = [f"{word} tea is {taste} tea" for word in ("green", "black") for taste in ("good", "bad")] * 12
    model = MaskedModel(tiny_bert, 16)
    embeddings = model.body.get_input_embeddings().weight.clone()
    domain.adapt(
        model,
        texts,
        RATES,
        trained_layers=1,
        folder=tmp_path / "run",
        seed=0,
        recorder=JsonRecorder(tmp_path / "notes"),
    )
    losses = [note["values"]["valid/loss"] for note in read_notes(tmp_path / "notes") if "valid/loss" in note["values"]]
    assert losses[-1] < losses[0] < np.log(len(model.bias)) / 2  # how often each token is written is known at once
    assert torch.equal(model.body.get_input_embeddings().weight, embeddings)
    (tmp_path / "kept").mkdir()
    model.save(tmp_path / "kept")
    again = domain.load(checkpoints.resolve(f"path:{tmp_path / 'kept'}", tmp_path), 16)
    tokens = {"input_ids": torch.tensor([[101, 103, 5572, 102]])}
    asked = tokens["input_ids"] == 103
    assert torch.equal(again.guesses(tokens, asked), model.eval().guesses(tokens, asked))


def test_too_few_texts_are_no_language(tiny_bert, tmp_path):
    with pytest.raises(NoData, match="too few"):
        domain.adapt(
            MaskedModel(tiny_bert, 8), ["tea"], RATES, trained_layers=1, folder=tmp_path, seed=0,
            recorder=JsonRecorder(tmp_path / "notes"),
        )  # fmt: skip
