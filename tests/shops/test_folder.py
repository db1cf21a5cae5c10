"""What lies in a folder of uploads, on a disk or a store."""

import hashlib
import os
from pathlib import Path

import fsspec
import pytest

from pipeline.shops.folder import Folder


def test_files_by_address_at_any_depth_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/ds=2020-03-01/x.csv", "a/y", "a/.part", ".git/z", "a/deep/er/w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    folder = Folder(str(tmp_path))
    assert [file.address for file in folder.files()] == ["a/deep/er/w", "a/y", "b/ds=2020-03-01/x.csv"]
    assert [(file.name, file.size, file.is_plain) for file in folder.files("b")] == [("x.csv", 21, True)]
    assert folder.files("none") == []


def test_links_and_pipes_are_not_plain(tmp_path: Path) -> None:
    (tmp_path / "drops/a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_text("s")
    (tmp_path / "drops/a/link").symlink_to(tmp_path / "elsewhere/secret")
    (tmp_path / "drops/a/gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "drops/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "drops/a/real").write_text("r")
    os.mkfifo(tmp_path / "drops/a/pipe")
    plain = {file.address: file.is_plain for file in Folder(str(tmp_path / "drops")).files()}
    assert plain.pop("a/real")
    assert plain and not any(plain.values())


def test_a_link_to_the_folder_itself_is_the_shop_s_own_choice(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x").write_text("x")
    (tmp_path / "drops").symlink_to(tmp_path / "real")
    assert [file.is_plain for file in Folder(str(tmp_path / "drops")).files()] == [True]


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_copies_are_hashed_as_they_are_read(scheme: str, tmp_path: Path) -> None:
    uri = f"{scheme}{tmp_path}"
    with fsspec.open(f"{uri}/a/x.csv", "wb", auto_mkdir=True) as file:
        file.write(b"one")
    folder = Folder(uri)
    (file,) = folder.files("a")
    assert folder.digest(file) == hashlib.sha256(b"one").hexdigest()
    assert folder.copy(file, tmp_path / "copy") == folder.digest(file)
    assert (tmp_path / "copy").read_bytes() == b"one" and folder.head(file, 2) == b"on"


def test_a_file_is_hashed_again_only_when_it_was_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("one")
    folder, read = Folder(str(tmp_path)), []
    real = folder._read
    monkeypatch.setattr(folder, "_read", lambda *how: read.append(how) or real(*how))
    first = folder.digest(folder.files()[0])
    assert folder.digest(folder.files()[0]) == first and len(read) == 1
    (tmp_path / "x").write_text("two")
    os.utime(tmp_path / "x", ns=(1, 1))
    assert folder.digest(folder.files()[0]) != first and len(read) == 2
