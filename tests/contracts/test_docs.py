"""The pages in docs/ are what the contracts say, today."""

from pathlib import Path

import pytest

from pipeline.contracts.docs import DRIFT_WORDS, PAGES, PRIVACY_WORDS, STATUS_WORDS, write_pages
from pipeline.contracts.feeds import FEEDS, REASON_WORDS
from pipeline.contracts.table import Drift, Privacy
from pipeline.contracts.tables import STATUS, TABLES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_page_in_the_repository_equals_the_contracts(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `shopkeel docs`"


def test_every_class_verdict_and_status_is_explained():
    assert set(PRIVACY_WORDS) == set(Privacy)
    assert set(DRIFT_WORDS) == set(Drift)
    assert tuple(STATUS_WORDS) == STATUS


@pytest.mark.parametrize(
    ("page", "tables"), [("tables.md", TABLES), ("feeds.md", {n: f.raw for n, f in FEEDS.items()})]
)
def test_page_holds_every_table_and_column(page, tables):
    text = PAGES[page]()
    for table in tables.values():
        assert table.page() in text


def test_feeds_page_lists_every_reason():
    assert all(f"| {reason} | {words} |" in PAGES["feeds.md"]() for reason, words in REASON_WORDS.items())


def test_write_pages_makes_the_folder(tmp_path):
    assert [path.name for path in write_pages(tmp_path / "new")] == list(PAGES)
    assert (tmp_path / "new" / "feeds.md").read_text(encoding="utf-8") == PAGES["feeds.md"]()
