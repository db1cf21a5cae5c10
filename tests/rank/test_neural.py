"""The pretrained parts of a bare ranking: vectors of titles, content made narrow, and the transformer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.features.sequences import Lines
from pipeline.models.next_items import Sequences
from pipeline.rank import neural


def told(*_: object) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module")
def chains() -> Sequences:
    """Users who walk along a circle of thirty items."""
    begins = np.random.default_rng(2).integers(30, size=200)
    return Sequences(np.array([(begin + step) % 30 for begin in begins for step in range(8)]), np.arange(0, 1601, 8))


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    """A circle of thirty items is learned sooner than a shop."""
    training = neural.RECOMMENDER.training.model_copy(update={"steps": 200, "warm_steps": 60, "eval_steps": 50})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural, "RECOMMENDER", neural.RECOMMENDER.model_copy(update={"training": training}))
        yield


@pytest.fixture(scope="module")
def walked(chains: Sequences) -> neural.Transformer:
    """A transformer that has seen them walk."""
    texts = np.zeros((31, 1), np.float32)
    return neural.transformer(chains.without_last(2).lines, chains.without_last(1).lines, texts, 5, told)


def test_equal_titles_have_equal_unit_vectors(tmp_path: Path) -> None:
    titles = ["red soap", "blue soap", "red soap", "", "garden hose"]
    taken = sp.csr_matrix(np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 0, 0, 1]]))
    vectors = neural.vectors_of_titles(titles, taken, np.array([[0, 1], [1, 2]]), tmp_path, 1, told)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors[0] == vectors[2]).all() and vectors[0] @ vectors[1] > vectors[0] @ vectors[4]


def test_content_is_made_narrow_or_left_out() -> None:
    assert neural.narrow(sp.csr_matrix((5, 1)), 0).tolist() == [[0.0]] * 5
    wide = sp.random(100, 90, 0.2, "csr", random_state=0)
    small = neural.narrow(wide, 0)
    assert small.shape == (100, neural.CONTENT_WIDTH) and small.dtype == np.float32
    np.testing.assert_array_equal(small, neural.narrow(wide, 0))


def test_the_transformer_is_the_same_twice_and_gives_chances(chains: Sequences) -> None:
    texts = np.zeros((31, 1), np.float32)
    one, other = (
        neural.transformer(chains.without_last(2).lines, chains.without_last(1).lines, texts, 5, told) for _ in "12"
    )
    scores = one.ways(chains.lines).scores(np.arange(3))["transformer/next"]
    np.testing.assert_array_equal(scores, other.ways(chains.lines).scores(np.arange(3))["transformer/next"])
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)
    assert one.rows[30] == 0 and sorted(one.rows[:30]) == list(range(1, 31))  # what nobody took has no id vector


def test_too_little_to_learn_from_is_no_error() -> None:
    lines = Lines(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]), np.array([0, 1, 2]))
    model = neural.transformer(lines, lines, np.zeros((3, 1), np.float32), 1, told)
    assert np.isfinite(model.ways(lines).scores(np.arange(2))["transformer/next"]).all()


def test_carried_on_it_knows_what_has_come_since(chains: Sequences, walked: neural.Transformer) -> None:
    back = Sequences(chains.item[::-1].copy(), chains.start).lines  # the same circle the other way round
    later = neural.carried_on(walked, back.only(np.arange(150)), back.only(np.arange(150, 200)), 5, told)
    asked = np.arange(150, 200)

    def chance(model: neural.Transformer) -> float:
        scores = model.ways(back).scores(asked)["transformer/next"]
        return float(scores[np.arange(50), (back.item[back.start[asked + 1] - 1] - 1) % 30].mean())

    assert chance(later) > 2 * chance(walked)


def test_carried_on_it_stays_where_that_helps_nobody(chains: Sequences, walked: neural.Transformer) -> None:
    back = Sequences(chains.item[::-1].copy(), chains.start).lines
    for others in (chains.lines.only(np.arange(150, 200)), back.only(np.zeros(0, np.int64))):
        later = neural.carried_on(walked, back.only(np.arange(150)), others, 5, told)
        for name, value in walked.model.state_dict().items():
            np.testing.assert_array_equal(later.model.state_dict()[name].numpy(), value.numpy())
