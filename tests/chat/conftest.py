"""A home of the small shop's own, and how to publish there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.settings import Night, load_shop
from tests.small_shop import DAY, published


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night of an empty home."""
    return Night(load_shop("grocer"), DAY, tmp_path)


@pytest.fixture
def publish(night: Night) -> Callable[..., str]:
    """Publish a day's snapshot; gives its id."""
    return partial(published, night)
