"""What may be shown of a question, and which belong together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models import open_questions
from pipeline.models.open_questions import Questions

WORDS = st.lists(st.sampled_from(["where", "is", "my", "parcel", "Ann", "Smith", "4711", "包", "裹"]), max_size=8)


def test_a_word_is_shared_when_enough_different_people_said_it():
    said = Questions(["parcel parcel Ann", "Parcel", "parcel 12"], ["a", "a", "b"])
    assert open_questions.shared(said, 2) == {"parcel"}
    assert open_questions.shared(said, 3) == set()


def test_numbers_and_rare_words_are_masked():
    known = {"where", "is", "my", "parcel", "包", "裹"}
    assert open_questions.masked("Where is my parcel 4711, Ann Smith?", known) == "where is my parcel # …"
    assert open_questions.masked("包裹 安 4711", known) == "包裹 … #"
    assert open_questions.masked("Ann Smith 4711", known) == ""
    assert open_questions.masked("is my #12", known) == ""  # nothing is said by words of speech alone


@given(st.lists(st.tuples(WORDS.map(" ".join), st.sampled_from("abcd")), max_size=12), st.integers(2, 4))
def test_nothing_shown_holds_a_digit_or_a_word_of_a_few(said, floor):
    questions = Questions([text for text, _ in said], [asker for _, asker in said])
    known = open_questions.shared(questions, floor)
    for text in questions.texts:
        shown = open_questions.masked(text, known)
        assert not any(letter.isdigit() for letter in shown)
        for word in set(open_questions.words(shown)):
            people = {who for other, who in said if word in open_questions.words(other)}
            assert len(people) >= floor


def test_like_vectors_are_one_group_numbered_by_the_first():
    rng = np.random.default_rng(0)
    centres = np.eye(8)[[3, 3, 1, 3, 1, 5]]
    vectors = centres + rng.normal(0, 0.05, centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert open_questions.groups(vectors).tolist() == [0, 0, 1, 0, 1, 2]
    assert open_questions.groups(vectors[:1]).tolist() == [0]
    assert open_questions.groups(np.zeros((0, 8))).tolist() == []
