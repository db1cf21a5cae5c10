"""Several ways as one: what they name together, what they think of it, and what may not be listed."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from pipeline.models.retrieval import Filters
from pipeline.models.ways import Joined, Taste, candidates, chosen, opinions


@dataclass(frozen=True)
class Told:
    """A way that is told its scores."""

    name: str
    table: np.ndarray

    def scores(self, users: np.ndarray) -> dict[str, np.ndarray]:
        return {self.name: self.table[users].astype(np.float32)}

    def facts(self, users: np.ndarray, row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        return {f"{self.name}.place": users[row] * 10 + item}


ONE, OTHER = np.array([[3.0, 2, 0, 0], [1, 2, 3, 4]]), np.array([[0.0, 0, 0, 5], [4, 3, 2, 1]])


def test_candidates_are_the_best_of_any_way_with_what_each_thinks() -> None:
    scores = {"a/one": ONE[:1].astype(np.float32), "b/other": OTHER[:1].astype(np.float32)}
    row, item, named = chosen(scores, 1, 1)
    assert row.tolist() == [0, 0] and item.tolist() == [0, 3] and named.tolist() == [[True, False], [False, True]]
    told = opinions(scores, row, item)
    assert told["a/one.share"].tolist() == [1, 0] and told["b/other.share"].tolist() == [0, 1]
    assert told["b/other.log"].tolist() == np.log(np.array([1e-5, 5 + 1e-5], np.float32)).tolist()


def test_several_ways_are_one_and_what_is_filtered_scores_nothing() -> None:
    taken = sp.csr_matrix(np.array([[True, False, False, False], [False] * 4]))
    filters = Filters(allowed=np.array([True, True, True, False]), excluded=taken)
    both = Joined((Told("a/one", ONE), Told("b/other", OTHER)), filters)
    scores = both.scores(np.array([0, 1]))
    assert scores["a/one"].tolist() == [[0, 2, 0, 0], [1, 2, 3, 0]]
    found = candidates(both, np.array([0, 1]), 1)
    assert list(zip(found.user.tolist(), found.item.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2)]
    assert found.ways == ("a/one", "b/other")
    place = found.features[:, found.columns.index("b/other.place")]
    assert place.tolist() == [1, 10, 12]


def test_taste_is_the_cosine_with_what_was_taken() -> None:
    profile = sp.csr_matrix(np.array([[1.0, 1, 0, 0], [0, 0, 0, 0]], np.float32))
    texts = np.array([[1, 0], [0, 1], [-1, 0], [np.sqrt(0.5), np.sqrt(0.5)]], np.float32)
    scores = Taste(profile, texts).scores(np.arange(2))["text/taste"]
    np.testing.assert_allclose(scores[0], [np.sqrt(0.5), np.sqrt(0.5), 0, 1], atol=1e-6)
    assert scores[1].tolist() == [0, 0, 0, 0]
