"""The example of docs/landing.md, file by file and number by number."""

import re
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from pipeline.contracts.feeds import FEEDS
from pipeline.feeds import ingest, partitions
from pipeline.settings import LandingSettings, load_shop
from pipeline.shops.source import open_source

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "landing.md").read_text(encoding="utf-8")
DAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files in a folder."""
    folder = tmp_path_factory.mktemp("corner")
    files = dict(re.findall(r"^`(drops/[^`]+)`\n\n```\w+\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE))
    assert len(files) == 3
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    base = yaml.safe_load((ROOT / "pipeline" / "shops" / "grocer.yaml").read_text(encoding="utf-8"))
    files["shops/corner.yaml"] = yaml.safe_dump(base | yaml.safe_load(block))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_example_lands_as_the_page_says(corner: Path, connection: Any, tmp_path: Path) -> None:
    shop = load_shop(str(corner / "shops" / "corner.yaml"))
    source = open_source(shop, connection)
    assert source.days() == (date(2026, 3, 1), DAY)
    for feed in FEEDS.values():
        ingest.land(
            connection,
            source,
            tmp_path,
            feed,
            DAY,
            first_day=shop.first_day,
            zone=shop.zone,
            secret=b"k" * 32,
            origin=shop.name,
        )
    told = re.findall(r"^\| (\w+) (2026-\d\d-\d\d) \| (\d+) \| (\d+) \| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
    assert len(told) == 3
    for feed, day, arrived, published, quarantined, why in told:
        day_before = date.fromisoformat(day).replace(day=int(day[-2:]) - 1) if day[-2:] != "01" else None
        found = partitions.counts(tmp_path, feed, date.fromisoformat(day), day_before)
        assert (found["arrived"], found["published"], found["quarantined"]) == tuple(
            map(int, (arrived, published, quarantined))
        )
        assert {name for name in found if name.startswith("reason/")} == {
            f"reason/{word}" for word in re.findall(r"`(\w+)`", why)
        }


def test_the_page_tells_every_layout_and_the_limits_as_they_are() -> None:
    told = set(re.findall(r"^\| `(\w+)` \| ", PAGE.split("## Public data sets")[1], re.MULTILINE))
    assert told | {"feeds"} == set(get_args(LandingSettings.model_fields["layout"].annotation))
    limits = {name: field.default for name, field in LandingSettings.model_fields.items()}
    assert limits["max_field_kib"] == 1024 and "`max_field_kib` (1 MiB)" in PAGE
    assert limits["max_file_mib"] == 2048 and "`max_file_mib` (2 GiB)" in PAGE
    assert f"`memory_gib` ({limits['memory_gib']})" in PAGE
    assert f"`seconds_per_file` ({limits['seconds_per_file']})" in PAGE
