"""Whole or not at all, and one at a time."""

import threading

import pytest

from pipeline.warehouse.durable import locked, move, put
from pipeline.warehouse.failpoints import Step


def test_put_replaces_whole_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "CURRENT"
    (tmp_path / ".CURRENT.partial").write_text("left by a kill, and longer")
    for text in ("one", "zwölf"):
        put(path, text, Step.POINTER)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_put_that_fails_keeps_the_old(tmp_path, monkeypatch):
    path = tmp_path / "CURRENT"
    put(path, "old", Step.POINTER)
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        put(path, "new", Step.POINTER)
    assert path.read_text() == "old"


def test_move_takes_folders(tmp_path):
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir()
    (tmp_path / "from" / "night").mkdir()
    (tmp_path / "from" / "night" / "file").touch()
    move(tmp_path / "from" / "night", tmp_path / "to" / "day", Step.SNAPSHOT)
    assert (tmp_path / "to" / "day" / "file").exists()
    assert list((tmp_path / "from").iterdir()) == []


def test_one_holder_at_a_time_and_an_error_lets_go(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with locked(tmp_path / "root"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    with pytest.raises(RuntimeError), locked(tmp_path / "root"):
        raise RuntimeError
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert (len(most), max(most)) == (80, 1)
