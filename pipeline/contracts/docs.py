"""Renders docs/tables.md and docs/feeds.md from the contracts, so that the pages cannot say something else.

Not here: the words on single columns (`columns`) and the layout of one table's section (`Table.page`).
"""

from pathlib import Path

from pipeline.contracts.feeds import (
    DEVICES,
    DOCUMENT_KINDS,
    FEEDS,
    KINDS,
    REASON_WORDS,
    REVIEW_KINDS,
    SPEAKERS,
    SURFACES,
)
from pipeline.contracts.table import Drift, Privacy
from pipeline.contracts.tables import TABLES

GENERATED = "<!-- Written by `shopkeel docs` from pipeline/contracts; edit the contracts, then run it again. -->"

PRIVACY_WORDS = {
    Privacy.PUBLIC: "About the shop, not about a person.",
    Privacy.PSEUDONYM: "A keyed hash that stands for a person; without the key nobody can tell whom.",
    Privacy.PERSONAL: "About one person; published only beside a pseudonym.",
    Privacy.IDENTIFIER: "Names a person; replaced by the pseudonym as a row lands and never kept.",
    Privacy.AUDIT: "For audits of fairness only; never reaches a model or a published table.",
}
DRIFT_WORDS = {
    Drift.EVOLVE: "Extra columns are kept aside and named in the night report; the rest lands.",
    Drift.FREEZE: "Any difference stops the night before anything is published.",
    Drift.DISCARD_ROW: "Rows whose values do not fit go to quarantine; the rest lands.",
    Drift.DISCARD_VALUE: "Values that do not fit become null and extra columns are dropped; the rows land.",
}
VALUES = {
    "kind": KINDS,
    "surface": SURFACES,
    "device": DEVICES,
    "review_kind": REVIEW_KINDS,
    "speaker": SPEAKERS,
    "document_kind": DOCUMENT_KINDS,
}
STATUS_WORDS = {
    "produced": "the model wrote it",
    "fallback": "the baseline wrote it, because the model was refused or knew nothing",
    "empty": "nothing was due, for the reason given",
    "no_input": "the shop hands over no feed for it, so nothing is invented",
    "kept": "the night failed, what was published before stays; only in `run_status.parquet` beside the warehouse",
}


def tables_page() -> str:
    """The page of published tables."""
    names = ", ".join(f"[{name}](#{name})" for name in TABLES)
    return _page(
        "Published tables",
        f"A night publishes one snapshot that holds all of these as Parquet, sorted and compressed with zstd: {names}.",
        "The writer accepts a table only if it is exactly as below: columns, types, nulls, unique key and order.",
        "",
        "In `run_status` a table's status is one of:",
        "",
        *(f"- `{status}`: {words}." for status, words in STATUS_WORDS.items()),
        "",
        *_privacy_section(),
        *(table.page() for table in TABLES.values()),
    )


def feeds_page() -> str:
    """The page of feeds, raw and as landed, with drift verdicts and quarantine reasons."""
    names = ", ".join(f"[{name}](#{name})" for name in FEEDS)
    sections = []
    for feed in FEEDS.values():
        landed, swapped = feed.landed, [name for name in feed.raw.names if name not in feed.landed.names]
        added = ", ".join(name for name in landed.names if name not in feed.raw.names)
        gone = f" {', '.join(swapped)} is not kept: the user key stands in its place." if swapped else ""
        gone += "".join(f" {name} left out means {str(value).lower()}." for name, value in feed.defaults.items())
        sections += [feed.raw.page(), f"As landed: {added} added, sorted by {', '.join(landed.order)}.{gone}", ""]
    return _page(
        "Feeds",
        f"What a shop hands over, partitioned by the local day of arrival (`ds`): {names}.",
        "Times are UTC, amounts whole hundredths of the currency. What happened after the business day is never read.",
        "",
        *(f"- `{column}` is one of {', '.join(values)}." for column, values in VALUES.items()),
        "",
        "## Drift verdicts",
        "",
        "What ingest does when the columns or types of an arrival differ from the contract:",
        "",
        *(f"- `{verdict}`: {words}" for verdict, words in DRIFT_WORDS.items()),
        "",
        "## Reasons for quarantine",
        "",
        "A row that breaks a rule is kept out of the feed under the rule's reason, and counted in the night report. "
        "On every feed and night, arrived = published + quarantined + deduplicated.",
        "",
        "| reason | in words |",
        "|---|---|",
        *(f"| {reason} | {words} |" for reason, words in REASON_WORDS.items()),
        "",
        *_privacy_section(),
        *sections,
    )


PAGES = {"tables.md": tables_page, "feeds.md": feeds_page}


def write_pages(folder: Path) -> list[Path]:
    """Write every page into a folder and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (folder / name).write_text(render(), encoding="utf-8")
    return [folder / name for name in PAGES]


def _page(title: str, *lines: str) -> str:
    return "\n".join([GENERATED, "", f"# {title}", "", *lines]).rstrip("\n") + "\n"


def _privacy_section() -> list[str]:
    classes = (f"- `{privacy}`: {words}" for privacy, words in PRIVACY_WORDS.items())
    return ["## Privacy classes", "", *classes, ""]
