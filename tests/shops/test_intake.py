"""Files against their manifest: what is read, what is set aside, and what makes it be looked at again."""

import hashlib
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.settings import load_shop
from pipeline.shops.intake import MANIFEST, Haul, Intake

DAY = date(2020, 3, 2)
GOOD = b"a,b\n1,2\n3\n"


@pytest.fixture
def folder(intake: Intake) -> Path:
    return Path(intake.limits.path) / "f"


def write(folder: Path, promised: Any = None, **files: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    if promised is not None:
        (folder / MANIFEST).write_text(json.dumps({"files": promised}))


def take(intake: Intake, seen: dict[str, str] | None = None) -> Haul:
    haul = Haul(seen or {})
    intake.take(intake.drop("f", DAY, intake.folder.files("f")), haul)
    return haul


def told(haul: Haul) -> dict[str, str]:
    return {file.address: file.reason for file in haul.refused}


def hashes(haul: Haul) -> dict[str, str]:
    return {address: mark.split()[0] for address, mark in haul.files.items()}


def demand(intake: Intake) -> None:
    intake.limits = intake.limits.model_copy(update={"checksums": "required"})


def said(data: bytes, **more: int) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}


def test_what_is_read_is_named_with_its_hash(intake: Intake, folder: Path) -> None:
    write(folder, x_csv=GOOD, y_jsonl=b'{"a": 1}')
    haul = take(intake)
    assert hashes(haul) == {
        "f/x.csv": hashlib.sha256(GOOD).hexdigest(),
        "f/y.jsonl": hashlib.sha256(b'{"a": 1}').hexdigest(),
    }
    assert haul.text and len(haul.parts) == 3 and not haul.refused
    assert take(intake, haul.files).files == {}


def test_a_file_that_nobody_touched_is_not_hashed_again(
    intake: Intake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"y.csv": {"bytes": 9}}, x_csv=GOOD, y_csv=GOOD, z_csv=b"")
    first = take(intake)
    assert told(first) == {"f/y.csv": "torn", "f/z.csv": "empty"}
    intake.folder.hashes = {
        (address, stamp): h for (address, stamp), h in intake.folder.hashes.items() if "_" in address
    }
    monkeypatch.setattr(intake.folder, "_read", lambda *_: pytest.fail("hashed again"))
    assert take(intake, first.files).files == {}
    monkeypatch.undo()
    for name in ("x.csv", "y.csv"):
        os.utime(folder / name, ns=(1, 1))
    touched = take(intake, first.files)
    assert set(touched.files) == {"f/x.csv", "f/y.csv"} and not touched.parts and not touched.refused
    assert touched.files["f/y.csv"].split()[2:] == first.files["f/y.csv"].split()[2:]
    assert take(intake, first.files | touched.files).files == {}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("x.feather", b"ARROW1", "unknown_format"),
        ("x.csv", b"", "empty"),
        ("x.csv.gz", b"not gzip", "torn"),
        ("x.parquet", b"PAR1", "torn"),
        ("x.csv", b"a,a\n", "unreadable"),
    ],
)
def test_a_bad_file_is_set_aside_and_told_once(
    intake: Intake, folder: Path, name: str, data: bytes, reason: str
) -> None:
    write(folder, good_csv=GOOD)
    (folder / name).write_bytes(data)
    haul = take(intake)
    assert told(haul) == {f"f/{name}": reason} and haul.refused[0].ds == DAY and haul.refused[0].words
    assert set(haul.files) == {"f/good.csv", f"f/{name}"} and len(haul.parts) == 2
    again = take(intake, haul.files)
    assert again.files == {} and not again.refused
    (folder / name).write_bytes(data + b"\n")
    assert f"f/{name}" in take(intake, haul.files).files


def test_a_link_out_of_the_folder_is_never_followed(intake: Intake, folder: Path, tmp_path: Path) -> None:
    write(folder)
    (tmp_path / "secret.csv").write_bytes(GOOD)
    (folder / "x.csv").symlink_to(tmp_path / "secret.csv")
    haul = take(intake)
    assert told(haul) == {"f/x.csv": "unreadable"} and not haul.parts


def test_a_file_over_the_limit_is_not_opened(intake: Intake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, x_csv=GOOD)
    with (folder / "x.csv").open("r+b") as file:
        file.truncate((64 << 20) + 1)
    monkeypatch.setattr(intake.folder, "_read", lambda *_: pytest.fail("opened"))
    haul = take(intake)
    assert told(haul) == {"f/x.csv": "too_large"}
    assert not take(intake, haul.files).refused
    monkeypatch.undo()
    intake.limits = intake.limits.model_copy(update={"max_file_mib": 128})
    assert told(take(intake, haul.files)) == {}


@pytest.mark.parametrize(
    "promise",
    [
        said(GOOD) | {"bytes": 1},
        said(GOOD) | {"sha256": "0" * 64},
        said(GOOD, rows=9),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_waits_until_it_is(
    intake: Intake, folder: Path, promise: dict[str, Any]
) -> None:
    write(folder, {"x.csv": promise}, x_csv=GOOD)
    haul = take(intake)
    assert told(haul) == {"f/x.csv": "torn"} and not haul.parts
    again = take(intake, haul.files)
    assert not again.refused and not again.files
    write(folder, {"x.csv": said(GOOD, rows=2)})
    mended = take(intake, haul.files)
    assert not mended.refused and hashes(mended) == {"f/x.csv": said(GOOD)["sha256"]} and mended.parts


def test_a_file_that_the_manifest_names_and_nobody_sent_is_told(intake: Intake, folder: Path) -> None:
    write(folder, {"x.csv": said(GOOD), "y.csv": said(b"a\n1\n")}, x_csv=GOOD)
    haul = take(intake)
    assert told(haul) == {"f/y.csv": "torn"}
    assert not take(intake, haul.files).refused
    write(folder, y_csv=b"a\n1\n")
    assert set(take(intake, haul.files).files) == {"f/y.csv"}


def test_without_the_manifest_that_is_required_a_folder_waits(intake: Intake, folder: Path) -> None:
    demand(intake)
    write(folder, x_csv=GOOD)
    haul = take(intake)
    assert told(haul) == {f"f/{MANIFEST}": "unchecked"} and not haul.parts
    assert not take(intake, haul.files).refused
    write(folder, {"x.csv": said(GOOD)})
    assert set(take(intake, haul.files).files) == {"f/x.csv"}


@pytest.mark.parametrize("promised", [{}, {"x.csv": {}}, {"x.csv": {"bytes": len(GOOD)}}])
def test_a_manifest_that_does_not_name_the_hash_is_not_enough(
    intake: Intake, folder: Path, promised: dict[str, Any]
) -> None:
    demand(intake)
    write(folder, promised, x_csv=GOOD)
    assert told(take(intake)) == {"f/x.csv": "unchecked"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 7}', '{"files": {"x.csv": 7}}', "[" * 100_000])
def test_a_manifest_that_cannot_be_read_holds_the_folder_back(intake: Intake, folder: Path, text: str) -> None:
    write(folder, x_csv=GOOD)
    (folder / MANIFEST).write_text(text)
    haul = take(intake)
    assert told(haul) == {f"f/{MANIFEST}": "unchecked"} and not haul.parts
    (folder / MANIFEST).unlink()
    assert set(take(intake, haul.files).files) == {"f/x.csv"}


def test_a_shop_without_files_is_told_so() -> None:
    with pytest.raises(ConfigError, match="section `landing`"):
        Intake(load_shop("grocer"))
