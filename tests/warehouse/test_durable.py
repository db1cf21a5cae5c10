"""Whole or not at all, one at a time, and nothing past the named steps."""

import ast
import threading
from pathlib import Path

import pytest

import pipeline.warehouse
from pipeline.warehouse import durable
from pipeline.warehouse.durable import filled, held, is_held, locked, move, partial, put, replace_folder, take_away
from pipeline.warehouse.failpoints import Step

PACKAGE = Path(pipeline.warehouse.__file__).parents[1]
RENAMES = {"os.replace", "os.rename", "os.renames", "os.link", "os.symlink", "shutil.move"}
ELSEWHERE = {
    "reports/export.py": "a person's file, outside of the shop's folders",
    "privacy/keys.py": "the secret, made once before any night, outside of the shop's folders",
}


def test_put_replaces_whole_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "CURRENT"
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


def test_writers_at_once_each_have_a_file_of_their_own(tmp_path):
    target = tmp_path / "facts.json"

    def write(text):
        with filled(target, Step.NOTE) as path:
            path.write_text(text)
            together.wait(timeout=30)

    together = threading.Barrier(4)
    writers = [threading.Thread(target=write, args=(letter * 1000,)) for letter in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)
    assert target.read_text() in {letter * 1000 for letter in "abcd"}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_not_finished_leaves_nothing(tmp_path, make):
    with pytest.raises(RuntimeError), partial(tmp_path / "deep" / "thing") as path:
        make(path)
        raise RuntimeError
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_replaces_a_full_one(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "old", Step.PARTITION)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["old", "old/new"]


def test_what_is_held_stays_until_nobody_does(tmp_path):
    folder, aside = tmp_path / "snapshot", tmp_path / "aside"
    folder.mkdir()
    with held(folder), held(folder):
        assert is_held(folder)
        assert not take_away(folder, aside, Step.REMOVAL)
    assert not is_held(folder)
    assert take_away(folder, aside, Step.REMOVAL)
    assert not folder.exists() and list(aside.iterdir()) == []
    with pytest.raises(FileNotFoundError), held(folder):
        pass


def test_a_folder_made_again_is_not_the_one_that_was_awaited(tmp_path, monkeypatch):
    folder = tmp_path / "snapshot"
    folder.mkdir()

    def swapped(handle, how):
        folder.rename(tmp_path / "gone")
        folder.mkdir()

    monkeypatch.setattr(durable.fcntl, "flock", swapped)
    with pytest.raises(FileNotFoundError, match="made again"), held(folder):
        pass


def moves(source: str) -> list[str]:
    """Calls that give a file its name: `Path.replace` is told from `str.replace` by its one argument."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [(call, call.func) for call in calls if isinstance(call.func, ast.Attribute)]
    return [
        f"{call.lineno}: {ast.unparse(method)}"
        for call, method in named
        if ast.unparse(method) in RENAMES
        or (method.attr in {"rename", "replace", "hardlink_to", "symlink_to"} and len(call.args) == 1)
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_takes_a_name_without_a_named_step(path):
    if path != Path(durable.__file__) and str(path.relative_to(PACKAGE)) not in ELSEWHERE:
        assert moves(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["a.replace(b)", "a.rename(b)", "os.replace(a, b)", "shutil.move(a, b)"])
def test_the_rule_sees_what_it_forbids(line):
    assert moves(line)


@pytest.mark.parametrize(
    "line", ["a.replace('b', 'c')", "at.replace(tzinfo=None)", "replace(a, b=1)", "t.rename(a='b')"]
)
def test_the_rule_lets_the_rest_be(line):
    assert moves(line) == []
