"""The sequential transformer: windows and loss against brute force, and what padding, growth and saving leave alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learning import champions
from pipeline.models import sequential
from pipeline.models.sequential import Batches, Sequential, Vocabulary, windows
from pipeline.record import JsonRecorder

TEXT = 5
BASKETS = st.lists(
    st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=4, unique=True), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def model(tiny):
    torch.manual_seed(1)
    return Sequential(12, TEXT, tiny).eval()


@pytest.fixture
def texts():
    return np.random.default_rng(2).normal(size=(12, TEXT)).astype(np.float32)


@pytest.fixture
def batches(texts):
    return Batches(np.arange(1, 13), texts, np.arange(1.0, 13.0), negatives=16, seed=3)


# --- windows ---------------------------------------------------------------------------------------------------------


@given(BASKETS, st.integers(2, 7))
def test_every_target_is_of_the_next_basket(a_history, baskets, length):
    history = a_history(baskets, 9)
    cut = windows(history.lines, length)
    lines = [
        [
            (item, held[number + 1] if number + 1 < len(held) else [])
            for number, things in enumerate(held)
            for item in things
        ]
        for held in baskets
    ]
    expected = []
    for line in lines:
        for end in range(len(line), 0, -length):
            part = line[max(0, end - length) : end]
            if any(following for _item, following in part):
                expected.append(part)
    assert len(cut) == len(expected)
    for part, read, target in zip(expected, cut.read, cut.target, strict=True):
        assert read.tolist() == [item for item, _ in part]
        for (_item, following), goal in zip(part, target, strict=True):
            assert (goal in following) if following else goal == -1


def test_a_baskets_positions_spread_over_the_next_baskets_items(a_history):
    cut = windows(a_history([[[0, 1, 2, 3], [4, 5], [6, 7, 8]]], 9).lines, 16)
    assert cut.target[0].tolist() == [4, 5, 4, 5, 6, 7, -1, -1, -1]


def test_validation_looks_at_young_targets_of_the_last_window_only(a_history):
    history = a_history([[[0], [1], [2], [3], [4]], [[5]]], 9)
    cut = windows(history.lines, 3, target_age=8)  # targets bought today or a week ago
    assert [one.tolist() for one in cut.read] == [[2, 3, 4]]
    assert [one.tolist() for one in cut.target] == [[3, 4, -1]]
    assert len(windows(history.lines, 3, target_age=0)) == 0


def test_some_windows_are_drawn_in_their_order_and_all_where_there_are_no_more(a_history):
    whole = windows(a_history([[[one], [one + 1]] for one in range(6)], 7).lines, 3)
    some, every = whole.drawn(4, 0), whole.drawn(9, 0)
    firsts = [int(one[0]) for one in some.read]
    assert (
        len(firsts) == 4
        and firsts == sorted(firsts)
        and [list(one) for one in every.read] == [list(one) for one in whole.read]
    )
    assert [list(one) for one in some.target] == [list(whole.target[first]) for first in firsts]
    assert [list(one) for one in whole.drawn(4, 0).read] == [list(one) for one in some.read]


def test_nobody_with_two_baskets_gives_no_windows(a_history):
    assert len(windows(a_history([[[1, 2]], [[3]]], 9).lines, 4)) == 0


def window(read, target):
    return {"input_ids": np.array(read), "labels": np.array(target)}


# --- batches and loss ------------------------------------------------------------------------------------------------


def test_the_same_windows_draw_the_same_negatives(a_history, batches):
    cut = windows(a_history([[[0, 1], [2], [3, 4]], [[5], [6]]], 12).lines, 6)
    first, again = batches([cut[0], cut[1]]), batches([cut[0], cut[1]])
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["negative"], batches([cut[0]])["negative"])


def test_negatives_come_as_often_as_expected(texts):
    counts = np.array([0, 1, 2, 50, 7, 0, 3, 1, 1, 1, 1, 1.0])
    rows = np.array([1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    draws = 200_000
    batch = Batches(rows, texts, counts, draws, seed=3)([window([0], [1])])
    drawn = np.bincount(batch["negative"].numpy(), minlength=12) / draws
    share = np.where(rows > 0, counts, 0) ** sequential.SMOOTHING
    assert np.allclose(drawn[rows[rows > 0]], (share / share.sum())[rows > 0], atol=0.005)
    assert drawn[0] == 0
    assert torch.allclose(batch["expected"].exp(), torch.tensor(drawn[batch["negative"]] * draws).float(), rtol=0.2)


def test_positions_whose_target_has_no_id_vector_are_left_out(texts):
    rows = np.array([1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    batch = Batches(rows, texts, np.ones(12), 4, seed=0)([window([0, 1], [2, 3])])
    assert batch["place"].tolist() == [1]
    assert batch["target"].tolist() == [3]
    assert batch["rows"].tolist() == [[1, 2]]


def test_shorter_windows_are_padded_to_the_longest_of_the_batch(batches):
    batch = batches([window([0, 1, 2], [1, 2, 3]), window([4], [5])])
    assert batch["rows"].tolist() == [[1, 2, 3], [5, 0, 0]] and (batch["texts"][1, 1:] == 0).all()
    assert batch["place"].tolist() == [0, 1, 2, 3]


def full_softmax(model, batch, texts):
    state = model.states(batch["rows"], batch["texts"]).flatten(0, 1)[batch["place"]]
    everything = model.items(torch.arange(1, 13), torch.from_numpy(texts))
    return torch.nn.functional.cross_entropy(state @ everything.T, batch["target"] - 1)


@torch.inference_mode()
def test_with_every_item_once_the_loss_is_the_full_softmax(model, batches, texts):
    batch = batches([window([0, 4, 7], [4, 7, 2]), window([1, 1], [1, 9])])
    every = {"negative": torch.arange(1, 13), "negative_texts": torch.from_numpy(texts), "expected": torch.zeros(12)}
    assert model(**{**batch, **every})["loss"].item() == pytest.approx(
        full_softmax(model, batch, texts).item(), rel=1e-5
    )


def test_without_draws_the_loss_is_the_full_softmax_and_it_trains(model, texts):
    rows = np.array([3, 1, 0, 2, 4, 5, 6, 7, 8, 12, 10, 11])  # one item has no id vector, one id vector no item
    batch = Batches(rows, texts, np.ones(12), negatives=0, seed=3)([window([0, 4, 7], [4, 7, 3])])
    assert batch["negative"].tolist() == [*range(1, 9), 10, 11, 12] and "expected" not in batch
    state = model.states(batch["rows"], batch["texts"]).flatten(0, 1)[batch["place"]]
    place = np.argsort(rows)[1:]
    scores = state @ model.items(batch["negative"], torch.from_numpy(texts[place])).T
    goal = torch.tensor([batch["negative"].tolist().index(row) for row in batch["target"]])
    expected = torch.nn.functional.cross_entropy(scores, goal)
    loss = model(**batch)["loss"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    expected.backward()
    assert {"item.weight", "text.weight", "habit"} < set(found)
    for name, one in model.named_parameters():
        if name in found:
            torch.testing.assert_close(found[name], one.grad, rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_many_corrected_draws_come_close_to_the_full_softmax(model, texts):
    batches = Batches(np.arange(1, 13), texts, np.arange(1.0, 13.0), negatives=50_000, seed=3)
    batch = batches([window([0, 4, 7], [4, 7, 2])])
    assert model(**batch)["loss"].item() == pytest.approx(full_softmax(model, batch, texts).item(), rel=0.02)


# --- the model -------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_padding_on_the_right_changes_nothing(model, texts):
    read = np.array([3, 0, 7])
    short = model.states(torch.from_numpy(read + 1)[None], torch.from_numpy(texts[read])[None])
    rows = torch.tensor([[4, 1, 8, 0, 0, 0]])
    padded = torch.cat([torch.from_numpy(texts[read]), torch.zeros(3, TEXT)])[None]
    assert torch.allclose(model.states(rows, padded)[:, :3], short, atol=1e-6)


@torch.inference_mode()
def test_a_state_never_reads_what_comes_later(model, texts):
    one, other = np.array([3, 0, 7, 2]), np.array([3, 0, 9, 11])
    states = [model.states(torch.from_numpy(r + 1)[None], torch.from_numpy(texts[r])[None]) for r in (one, other)]
    assert torch.allclose(states[0][:, :2], states[1][:, :2], atol=1e-6)
    assert not torch.allclose(states[0][:, 2:], states[1][:, 2:], atol=1e-3)


def test_user_states_are_the_same_in_any_block(model, shoppers, texts):
    rows = np.arange(1, 13)
    whole = sequential.user_states(model, shoppers.lines, rows, texts, 8)
    assert np.allclose(whole, sequential.user_states(model, shoppers.lines, rows, texts, 8, block=7), atol=1e-5)
    last = shoppers.lines.item[: shoppers.lines.start[1]][-8:]
    with torch.inference_mode():
        alone = model.states(torch.from_numpy(last + 1)[None], torch.from_numpy(texts[last])[None])[0, -1]
    assert np.allclose(whole[0], alone.numpy(), atol=1e-5)


def test_states_are_read_of_whom_is_asked_and_once(model, shoppers, texts, monkeypatch):
    rows, read, of = np.arange(1, 13), [], sequential.user_states
    monkeypatch.setattr(
        sequential, "user_states", lambda one, lines, *more: read.append(len(lines)) or of(one, lines, *more)
    )
    states, whole = sequential.States(model, shoppers.lines, rows, texts, 8), of(model, shoppers.lines, rows, texts, 8)
    for users in ([3, 1, 3], [1, 2], [3], list(range(len(whole)))):
        np.testing.assert_allclose(states[np.array(users)], whole[users], atol=1e-5)
    assert read == [2, 1, len(whole) - 3]


def test_an_item_never_seen_in_training_is_reached_by_its_text(model, texts):
    rows = np.arange(1, 13)
    rows[5] = 0
    vectors = sequential.item_vectors(model, rows, texts)
    assert np.allclose(vectors[5], texts[5] @ model.text.weight.detach().numpy().T, atol=1e-6)
    alike = texts.copy()
    alike[5] = texts[3]
    moved = sequential.item_vectors(model, rows, alike)
    assert np.allclose(moved[5], vectors[3] - model.item.weight[4].detach().numpy(), atol=1e-6)


def test_a_grown_champion_scores_old_items_as_before(model, shoppers, texts, tiny):
    old = Vocabulary([f"i{n:02}" for n in range(12)])
    new = old.extended(["i03", "a", "z"])
    assert new.ids == [*old.ids, "a", "z"]
    more = np.vstack([texts, np.ones((2, TEXT), np.float32)])
    grown = sequential.grown(model, old, new, tiny).eval()

    def scores(one, rows, vectors):
        states = sequential.user_states(one, shoppers.lines, rows, vectors, 8)
        return states @ sequential.item_vectors(one, rows, vectors).T

    before = scores(model, np.arange(1, 13), texts)
    after = scores(grown, new.rows([*old.ids, "a", "z"]), more)
    assert np.allclose(after[:, :12], before, atol=1e-6)
    by_text = (
        sequential.user_states(model, shoppers.lines, np.arange(1, 13), texts, 8)
        @ (more[12:] @ model.text.weight.detach().numpy().T).T
    )
    assert np.allclose(after[:, 12:], by_text, atol=1e-5)


def test_what_is_saved_is_what_is_loaded_to_the_bit(model, tiny, tmp_path):
    vocabulary = Vocabulary([f"i{n}" for n in range(12)])
    versions = {
        champions.keep(tmp_path, "m", lambda folder: sequential.save(model, vocabulary, tiny, "e" * 12, folder))
        for _ in range(2)
    }
    assert len(versions) == 1
    loaded, ids, config = sequential.load(champions.folder(tmp_path, "m", versions.pop()))
    assert ids.ids == vocabulary.ids
    assert config["encoder"] == "e" * 12
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_training_learns_a_planted_order(a_history, tiny, tmp_path):
    """Everybody buys item n + 1 after item n: after training that is what is predicted."""
    users = [[[(user + week) % 6] for week in range(8)] for user in range(24)]
    history, rows = a_history(users, 6), np.arange(1, 7)
    texts = np.eye(6, TEXT, dtype=np.float32)
    settings = tiny.model_copy(update={"training": tiny.training.model_copy(update={"steps": 60, "eval_steps": 20})})
    torch.manual_seed(0)
    model = Sequential(6, TEXT, settings)
    cut = windows(history.lines, 8)
    batches = Batches(rows, texts, np.ones(6), 32, 0)
    model = sequential.train(
        model, cut, cut, batches, settings, warm=False, folder=tmp_path / "c", seed=0, recorder=JsonRecorder(tmp_path)
    )
    states = sequential.user_states(model, history.lines, rows, texts, 8)
    best = (states @ sequential.item_vectors(model, rows, texts).T).argmax(1)
    assert (best == [(user + 8) % 6 for user in range(24)]).mean() > 0.9
