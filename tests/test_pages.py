"""A layout file is right or refused with the file and the key; each built-in one keeps the contract of the pages."""

from collections.abc import Callable
from importlib import resources
from math import log2
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.contracts.feeds import SURFACES
from pipeline.errors import ConfigError
from pipeline.pages import MODULES, TOP_CATEGORY, load_pages

FOLDER = Path(str(resources.files("pipeline.shops"))) / "pages"
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the default layout file with changes of its top keys."""

    def written(**changes: Any) -> str:
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load((FOLDER / "default.yaml").read_text()) | changes))
        return str(path)

    return written


def page(*slots: str, candidates: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"slots": [{"module": module} for module in slots], "candidates": list(candidates)}


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.yaml")])
def test_every_built_in_file_offers_more_modules_than_slots_and_anchors_some(name: str) -> None:
    pages = load_pages(name)
    assert set(pages.surfaces) < set(SURFACES)
    for surface in pages.surfaces.values():
        assert set(surface.modules) <= set(MODULES)
        assert len(surface.modules) > len(surface.slots)
        assert list(surface.visibility) == sorted(surface.visibility, reverse=True)
    assert pages.home.slots[0].anchor
    assert TOP_CATEGORY in pages.home.modules


def test_visibility_is_that_of_the_place_unless_it_is_said(write: Write) -> None:
    home = page(TOP_CATEGORY, "offers", "buy_again")
    home["slots"][1]["visibility"] = 0.9
    assert load_pages(write(home=home)).home.visibility == (1.0, 0.9, 1 / log2(4))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": 1}, "Extra inputs"),
        ({"module_items": 0}, "greater than 0"),
        ({"cart": page()}, "at least 1 item"),
        ({"cart": page("cuckoo_clock")}, "'buy_again', 'your_categories'"),
        ({"cart": page("offers", candidates=("offers",))}, "each module once"),
        ({"cart": page("offers", "offers")}, "each module once"),
        ({"home": page("offers")}, "no slot for your_categories"),
        ({"home": page("offers", candidates=("your_categories",))}, "no slot for your_categories"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(write: Write, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        load_pages(write(**changes))
    assert "own.yaml" in str(refused.value)


@pytest.mark.parametrize("visibility", [0, 1.5, float("nan")])
def test_a_visibility_is_a_share(write: Write, visibility: float) -> None:
    home = page(TOP_CATEGORY)
    home["slots"][0]["visibility"] = visibility
    with pytest.raises(ConfigError, match=r"home\.slots\.0\.visibility"):
        load_pages(write(home=home))


def test_an_unknown_name_or_no_yaml_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pages 'wide': unknown; choose one of default, grocer, movies"):
        load_pages("wide")
    broken = tmp_path / "broken.yaml"
    broken.write_text("home: [")
    with pytest.raises(ConfigError, match="not readable YAML"):
        load_pages(str(broken))
