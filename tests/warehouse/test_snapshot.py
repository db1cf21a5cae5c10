"""The reader: pinned, and clear about what is not there or not as written."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError, NoData
from pipeline.warehouse.snapshot import (
    CURRENT,
    current,
    history,
    newest_before,
    open_snapshot,
    pointer,
    rows_of,
    verify,
)


def test_nothing_published(house):
    assert (current(house.root), pointer(house.root), history(house.root)) == (None, None, [])
    assert newest_before(house.root, date(2020, 1, 1)) is None
    with pytest.raises(NoData, match="nothing is published yet; run a night"):
        open_snapshot(house.root)


def test_a_pinned_snapshot_does_not_change(house):
    house.publish(1, price=1.0)
    pinned = current(house.root)
    house.publish(1, price=9.0)
    assert pinned.table("prices", ["price"]).column("price").to_pylist() == [2.0, 1.0, None]
    assert current(house.root).table("prices").column("price").to_pylist() == [2.0, 9.0, None]


def test_one_users_rows(house):
    house.publish(1)
    found = current(house.root).table("users", user_key="u")
    assert found.to_pylist() == [{"user_key": "u", "spread": [3.0]}]
    assert current(house.root).table("users", ["spread"], user_key="nobody").num_rows == 0


@pytest.mark.parametrize("by", ["user_key", "rank"])
def test_one_users_rows_are_found_in_any_row_group(tmp_path, by):
    users = [f"u{n:02}" for n in range(0, 40, 2) for _ in range(n % 7)]
    rows = pa.table({"rank": list(range(len(users))), "user_key": users, "lists": [[n] for n in range(len(users))]})
    order = pq.SortingColumn.from_ordering(rows.schema, [(by, "ascending")])
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=4, sorting_columns=order)
    for key in ["a", *(f"u{n:02}" for n in range(41)), "z"]:
        wanted = rows.filter(pc.field("user_key") == key)
        assert rows_of(tmp_path / "rows.parquet", key).equals(wanted)
        assert rows_of(tmp_path / "rows.parquet", key, ["lists", "rank"]).equals(wanted.select(["lists", "rank"]))


def test_one_users_rows_of_an_empty_table_are_none(tmp_path):
    rows = pa.table({"user_key": pa.array([], pa.string())})
    pq.write_table(rows, tmp_path / "rows.parquet")
    assert rows_of(tmp_path / "rows.parquet", "u").equals(rows)


def test_an_unknown_table_is_named(house):
    house.publish(1)
    with pytest.raises(NoData, match="no table ghosts; it has prices, users"):
        current(house.root).path("ghosts")


def test_history_is_newest_first_and_newest_before_is_strict(house):
    ids = [house.publish(day) for day in (1, 2, 4)]
    assert [manifest.snapshot for manifest in history(house.root)] == ids[::-1]
    assert newest_before(house.root, house.day(4)).id == ids[1]
    assert newest_before(house.root, house.day(5)).id == ids[2]
    assert newest_before(house.root, house.day(1)) is None


@pytest.mark.parametrize("word", ["", "2020-01-01", "../../etc", "\x00"])
def test_a_pointer_to_no_id_is_an_error(house, word):
    first = house.publish(1)
    (house.root / CURRENT).write_text(word)
    with pytest.raises(DataError, match=f"is no snapshot id; write one of {first}"):
        current(house.root)


@pytest.mark.parametrize(
    ("file", "says"), [("prices.parquet", "table prices is missing"), ("manifest.json", r"manifest\.json: missing")]
)
def test_a_missing_file_is_an_error(house, file, says):
    folder = house.root / "snapshots" / house.publish(1)
    (folder / file).unlink()
    with pytest.raises(DataError, match=says):
        open_snapshot(house.root)


def test_a_manifest_in_anothers_folder_is_an_error(house):
    first, second = house.publish(1), house.publish(2)
    folder = house.root / "snapshots"
    (folder / second / "manifest.json").write_bytes((folder / first / "manifest.json").read_bytes())
    with pytest.raises(DataError, match=f"is snapshot {first}'s"):
        open_snapshot(house.root, second)


def test_verify_finds_every_harm(house):
    house.publish(1)
    pinned = current(house.root)
    assert verify(pinned) == []
    data = bytearray(pinned.path("prices").read_bytes())
    data[len(data) // 2] ^= 1
    pinned.path("prices").write_bytes(data)
    pinned.path("users").unlink()
    (pinned.folder / "stray.parquet").touch()
    problems = verify(pinned)
    assert [problem.split(":")[0] for problem in problems] == ["prices.parquet", "users.parquet", "stray.parquet"]
    assert "SHA-256" in problems[0]
