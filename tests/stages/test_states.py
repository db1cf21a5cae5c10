"""States that one task leaves for the next: the same ones, and only of the same purchases."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from pipeline.features.sequences import Lines
from pipeline.models import sequential
from pipeline.models.recommendations import Knowledge
from pipeline.settings import load_shop
from pipeline.stages import states

SETTINGS = load_shop("grocer").recommender.model_copy(update={"width": 8, "layers": 1, "heads": 2, "history": 8})
LINES = Lines(np.array([0, 1, 2, 3, 1]), np.array([0, 0, 1, 2, 2]), np.array([9, 9, 5, 3, 3]), np.array([0, 3, 3, 5]))


def known(lines: Lines) -> Knowledge:
    """As much of it as is asked for."""
    torch.manual_seed(1)
    model, texts = sequential.Sequential(4, 3, SETTINGS), np.eye(4, 3, dtype=np.float32)
    read = sequential.States(model, lines, np.arange(1, 5), texts, 8)
    return cast(Knowledge, SimpleNamespace(read=(sequential.Ways(read, np.zeros((4, 8), np.float32)),)))


def found(one: Knowledge) -> np.ndarray:
    return cast(Any, one.read[0]).states.found


def test_what_was_read_is_taken_over_and_nothing_of_other_purchases(tmp_path: Path) -> None:
    night = cast(Any, SimpleNamespace(work=tmp_path))
    first, second = known(LINES), known(LINES)
    cast(Any, first.read[0]).states[np.array([0, 1])]
    states.recall(night, "a", first)  # nothing has been left yet
    states.leave(night, "a", first)
    states.recall(night, "a", second)
    np.testing.assert_array_equal(found(first), found(second))
    assert np.isnan(found(second)[2]).all() and not np.isnan(found(second)[:2]).any()
    for other in (replace(LINES, item=LINES.item[::-1].copy()), replace(LINES, start=np.array([0, 2, 3, 5]))):
        late = known(other)
        states.recall(night, "a", late)
        assert np.isnan(found(late)).all()
    late = known(LINES)
    states.recall(night, "b", late)
    assert np.isnan(found(late)).all()
