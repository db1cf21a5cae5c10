"""Consent counted again in every staged table that holds people: default deny, whatever the code before did.

Each table says here which consents its rows need; a table of people that is not named is refused. Not here: what a
missing flag means (`privacy.consent`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Dataset

from pipeline.audit.finding import Finding
from pipeline.contracts.table import Privacy
from pipeline.contracts.tables import TABLES

NAME = "consent"
CONSENTS = (
    "personalisation",
    "ads",
    "audiences",
)  # to what; "ads" are personalised ones, "audiences" use data for them


@dataclass(frozen=True)
class Needs:
    """Which rows of a table need which consent.

    Attributes:
        consent: one of CONSENTS.
        rows: those that are about one person; all when left out.
        column: that names the person.
    """

    consent: str
    rows: pc.Expression | None = None
    column: str = "user_key"


NEEDS: dict[str, tuple[Needs, ...]] = {
    "recommendations": (
        Needs("personalisation", ~pc.field("is_fallback")),
        Needs("ads", pc.field("surface") == "ad"),
    ),
    "cart_recommendations": (Needs("personalisation", pc.field("context") == "basket", "context_id"),),
    "ad_audiences": (Needs("audiences"),),
    "ad_experiments": (Needs("audiences"),),
    "ad_placements": (Needs("ads"), Needs("personalisation")),
    "user_profiles": (Needs("personalisation"),),
    # Everybody has a page and a list, and these say how calm they are; a page of one's own and its worth need consent.
    "page_layouts": (Needs("personalisation", pc.field("value").is_valid() | (pc.field("value_source") != "none")),),
    "experience": (Needs("personalisation", pc.field("calibration_kl").is_valid()),),
    "change_ledger": (Needs("personalisation", pc.field("change_cause") == "user"),),
    "review_sentiment": (),  # written to be read by anybody
    "user_orders": (),  # what was agreed with the user, told to the user alone
}


def people(name: str) -> bool:
    """Whether a published table holds people."""
    return any(column.privacy is Privacy.PSEUDONYM for column in TABLES[name].columns)


def consents(tables: Mapping[str, Dataset], agreed: Mapping[str, Collection[str]]) -> Finding:
    """Rows of people who did not agree to what the rows are.

    Args:
        tables: staged, by name; read as asked for.
        agreed: user keys by consent.
    """
    cases, broken, named = 0, 0, []
    allowed = {name: pa.array(sorted(keys), pa.string()) for name, keys in agreed.items()}
    for name, table in tables.items():
        if not people(name):
            continue
        found = 0 if name in NEEDS else table.count_rows()
        for need in NEEDS.get(name, ()):
            some, times = _counted(table, need)
            cases += pc.sum(times).as_py() or 0
            found += pc.sum(times.filter(pc.invert(pc.is_in(some, allowed[need.consent])))).as_py() or 0
        broken += found
        named += [f"{found:,} of {name}"] if found else []
    if not cases and not broken:
        return Finding(NAME, 0, 0, None, "No input: no table holds rows of one person.")
    words = f"Every row of one person is of one who agreed to it: {cases:,} rows"
    return Finding(NAME, cases, broken, float(broken), words + (f"; not: {', '.join(named)}." if named else "."))


def _counted(table: Dataset, need: Needs) -> tuple[pa.Array, pa.Array]:
    """Keys of the persons that rows are about, and how many rows: once in each batch, as most have many rows."""
    batches = table.to_batches(columns=[need.column], filter=need.rows)
    counts = [pc.value_counts(batch.column(0)) for batch in batches]
    keys, times = (pa.array([], kind) for kind in (pa.string(), pa.int64()))
    return pa.concat_arrays([keys, *(one.field("values") for one in counts)]), pa.concat_arrays(
        [times, *(one.field("counts") for one in counts)]
    )
