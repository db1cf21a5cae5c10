"""Rows of whole nights of the corner shop: no connection is tried, no secret written down, and no attribute that is
for audits alone makes a difference to any table."""

import base64
import ctypes
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.chaos import corner
from tests.chaos.corner import EVENING, Lane
from tests.chaos.processes import helper
from tests.trust.conftest import Trust, is_full

NEWNET = 0x40000000  # <sched.h>
SENT = ("OutRequests", "OutNoRoutes", "OutDatagrams", "ActiveOpens")  # of the kernel's counters
SECRET = "5a" * 32  # as the corner's nights are given it
pytestmark = pytest.mark.slow


def kernel_count() -> int:
    """Packets and connections that this thread's network namespace was asked for, sent or not."""
    lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    pairs = [
        pair
        for names, values in zip(lines[::2], lines[1::2], strict=True)
        for pair in zip(names.split(), values.split(), strict=True)
    ]
    pairs += [tuple(line.split()) for line in Path("/proc/thread-self/net/snmp6").read_text().splitlines()]
    # IPv6 told its neighbours of itself as the namespace came up, if it did: those are no night's.
    return sum(int(value) for name, value in pairs if name.endswith(SENT) and "Icmp" not in name)


def alone(log: Path, *rest: Any) -> None:
    """A night in a network namespace of its own, without any route, whose attempts are counted by kernel and Python."""
    is_alone = ctypes.CDLL(None).unshare(NEWNET) == 0
    asked: list[str] = []
    before = kernel_count() if is_alone else 0

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            if args[0].family in (socket.AF_INET, socket.AF_INET6):
                asked.append(f"{event} {args[1]}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            asked.append(f"{event} {args[0]}")

    sys.addaudithook(hear)
    try:
        corner.run_night(log, *rest)
    finally:
        count = kernel_count() - before if is_alone else 0
        log.with_suffix(".net").write_text(json.dumps({"alone": is_alone, "kernel": count, "asked": asked}))


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Lane]:
    folder = tmp_path_factory.mktemp("alone")
    made = Lane(folder / "lane", corner.shop(folder, tiny_bert), corner.cut(folder), helper(), alone)
    made.folder.mkdir()
    ended = made.run(day=EVENING)
    assert ended.code == 0, ended.words
    yield made


def test_a_night_tries_no_connection(lane: Lane, trust: Trust) -> None:
    heard = json.loads((lane.folder / "log.net").read_text())
    where = "in a network namespace without routes" if heard["alone"] else "by Python's own count: no namespace here"
    trust.at_most(
        "connections a night tries", heard["kernel"] + len(heard["asked"]), 0, tried=1,
        note=where + "".join(f"; {one}" for one in heard["asked"][:3]),
    )  # fmt: skip


def test_no_secret_is_written_down(lane: Lane, trust: Trust) -> None:
    raw = bytes.fromhex(SECRET)
    forms = (SECRET.encode(), SECRET.upper().encode(), raw, base64.b64encode(raw))
    files = [path for path in lane.folder.rglob("*") if path.is_file()]
    held = [path.name for path in files if any(form in path.read_bytes() for form in forms)]
    trust.at_most(
        "files that hold the secret", len(held), 0, tried=len(files), note="all a night writes; " + ", ".join(held[:3])
    )


@pytest.mark.skipif(not is_full(), reason="a second night from the first stage on: at full counts alone")
def test_tables_are_the_same_whatever_attributes_for_audits_say(lane: Lane, tmp_path: Path, trust: Trust) -> None:
    path = next(lane.package.rglob("demographics.parquet"))
    people = pq.read_table(path)
    turned = {name: people.column(name).to_pylist()[::-1] for name in people.column_names if name != "household_id"}
    for name, values in turned.items():
        people = people.set_column(people.column_names.index(name), name, [values])
    pq.write_table(people, path)
    other = Lane(tmp_path / "other", lane.settings, lane.package, lane.context, alone)
    other.folder.mkdir()
    ended = other.run(day=EVENING)
    assert ended.code == 0, ended.words
    one, two = (
        {name.split("/")[1]: data for name, data in corner.published(each.warehouse).items()} for each in (lane, other)
    )
    same = [name for name in one if one[name] == two.get(name)]
    trust.all_of(
        "tables that attributes for audits make no difference to", len(same), len(one), "turned round over people"
    )
