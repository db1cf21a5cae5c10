"""Bare files of contexts and candidates."""

import numpy as np
import pytest

from pipeline.dialogues import contexts
from pipeline.errors import DataError

LINES = "1\thello\tin stock ?\tyes\n0\thello\tin stock ?\tno\n\n\tother\twhat\n1\thello\tin stock ?\tyes\n"


def test_lines_of_one_context_stand_together(tmp_path):
    (tmp_path / "test").write_text(LINES)
    read = contexts.read(tmp_path / "test")
    assert read.turns == [("hello", "in stock ?"), ("other",), ("hello", "in stock ?")]
    assert read.context.tolist() == [0, 0, 1, 2]
    assert read.candidates == ["yes", "no", "what", "yes"]
    assert np.array_equal(read.truth, [1, 0, np.nan, 1], equal_nan=True)
    assert read.answered() == [(("hello", "in stock ?"), "yes")]


def test_the_file_beside_is_found(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).write_text(LINES)
    assert contexts.beside(tmp_path / "test", "train") == tmp_path / "train"
    assert contexts.beside(tmp_path / "train", "train") is None


@pytest.mark.parametrize(("text", "said"), [("", "no lines"), ("1\tone\n", "test:1: not label"), ("x\ta\tb", "test:1")])
def test_what_is_not_of_that_form_is_said(tmp_path, text, said):
    (tmp_path / "test").write_text(text)
    with pytest.raises(DataError, match=said):
        contexts.read(tmp_path / "test")


def test_what_is_not_text_or_not_there_is_said(tmp_path):
    (tmp_path / "test").write_bytes(b"1\t\xff\xfe\tb")
    with pytest.raises(DataError, match="not UTF-8"):
        contexts.read(tmp_path / "test")
    with pytest.raises(DataError, match="no such file"):
        contexts.read(tmp_path / "gone")
