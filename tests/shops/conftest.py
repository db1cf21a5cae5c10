"""A landing shop in a folder of the test's own."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import LandingSettings, Shop, load_shop
from pipeline.shops.intake import Intake
from pipeline.shops.parsing import Parser

FIRST = date(2020, 3, 1)


@pytest.fixture
def landing_shop(tmp_path: Path) -> Callable[..., Shop]:
    """A shop whose files lie in `drops`; settings of the landing by name."""

    def made(**settings: Any) -> Shop:
        given = {"path": str(tmp_path / "drops"), "max_file_mib": 64, "memory_gib": 1.0, "seconds_per_file": 60}
        (tmp_path / "drops").mkdir(exist_ok=True)
        return load_shop("grocer").model_copy(
            update={
                "name": "corner",
                "adapter": "landing",
                "landing": LandingSettings(**(given | settings)),
                "first_day": FIRST,
                "timezone": "UTC",
            }
        )

    return made


@pytest.fixture
def intake(landing_shop: Callable[..., Shop]) -> Iterator[Intake]:
    """An intake with its child."""
    opened = Intake(landing_shop())
    yield opened
    opened.parser.close()


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    """One child for a module's tests: 1 KiB fields, files to 16 MiB."""
    opened = Parser(LandingSettings(path="-", max_file_mib=16, max_field_kib=1, memory_gib=0.5, seconds_per_file=30))
    yield opened
    opened.close()
