"""The run_status table: what each table holds tonight, and why one is empty or a fallback."""

from collections.abc import Collection, Mapping

import pyarrow as pa

# The feed without which a table is empty whatever its model says.
NEEDS = (
    dict.fromkeys(("ad_audiences", "ad_audience_summary", "ad_experiments", "ad_placements"), "campaigns")
    | dict.fromkeys(("review_sentiment", "item_sentiment"), "reviews")
    | {"shop_documents": "documents", "open_questions": "dialogues"}
)


def rows(
    tables: Mapping[str, int], fallbacks: Mapping[str, str], empties: Mapping[str, str], feeds: Collection[str]
) -> pa.Table:
    """One row a table.

    Args:
        tables: rows of each staged table.
        fallbacks: why a table comes from the baseline.
        empties: why a table holds no rows.
        feeds: feeds that have landed.
    """
    out: list[tuple[str, str, int, str | None]] = []
    for name, count in sorted(tables.items()):
        if count == 0 and NEEDS.get(name, name) not in (name, *feeds):
            out.append((name, "no_input", 0, f"the shop hands over no {NEEDS[name]}"))
        elif count == 0:
            out.append((name, "empty", 0, empties.get(name, "nothing qualified tonight")))
        elif name in fallbacks:
            out.append((name, "fallback", count, fallbacks[name]))
        else:
            out.append((name, "produced", count, None))
    names, states, counts, reasons = zip(*sorted(out), strict=True)
    return pa.table(
        {
            "table_name": names,
            "status": states,
            "rows": pa.array(counts, pa.int64()),
            "status_reason": pa.array(reasons, pa.string()),
        }
    )


def kept(last: pa.Table, why: str) -> pa.Table:
    """The same rows for a night that published nothing: what was published stays, for this reason.

    Args:
        last: run_status of the snapshot that readers keep.
        why: how the night ended.
    """
    told = [
        row if row["status"] == "no_input" else row | {"status": "kept", "status_reason": why}
        for row in last.to_pylist()
    ]
    return pa.Table.from_pylist(told, last.schema)
