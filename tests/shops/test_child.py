"""The parsing child as a process: its limits, its end, and what it knows of its parent."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter, sleep

import pytest

from pipeline.shops.parsing import ENVIRONMENT, Parser, sweep

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@LINUX
def test_it_dies_with_its_parent(parser: Parser) -> None:
    code = (
        "import os, signal, sys\n"
        "from pipeline.settings import LandingSettings\n"
        "from pipeline.shops.parsing import Parser\n"
        "parser = Parser(LandingSettings(path='-'))\n"
        "path = parser.spool()\n"
        "path.write_text('a,b\\n1,2\\n')\n"
        "parser.parse(path, 'a.csv', 'a')\n"
        "print(parser.child.pid, parser.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    pid, folder = ended.stdout.split()
    begun = perf_counter()
    while _alive(int(pid)) and perf_counter() - begun < 10:
        sleep(0.01)
    assert not _alive(int(pid))
    # Its copies of uploads go when the next parser comes, and nobody else's.
    assert Path(folder).exists() and parser.folder.exists()
    sweep()
    assert not Path(folder).exists() and parser.folder.exists()


@LINUX
def test_it_runs_under_limits_and_without_the_parent_s_secrets(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPKEEL_USER_KEY", "5ec2e7" * 11)
    parser.close()
    fresh = Parser(parser.limits)
    path = fresh.spool()
    path.write_text("a,b\n1,2\n")
    fresh.parse(path, "a.csv", "a")
    assert fresh.child is not None
    process = Path(f"/proc/{fresh.child.pid}")
    names = {entry.split("=", 1)[0] for entry in (process / "environ").read_text().split("\0") if entry}
    assert names == set(ENVIRONMENT)
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max file size"] == [str(16 << 20)] * 2
    assert int(limits["Max address space"][1]) == (1 << 29) * 2 + (16 << 20)
    assert int(limits["Max open files"][1]) == 64
    assert int(limits["Max cpu time"][0]) < 40
    fresh.close()


def test_whatever_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    """A file named to look like an answer, and a request that fails, leave the pipe clean."""
    words = [sys.executable, "-m", "pipeline.shops.child", str(os.getpid()), str(1 << 30), str(1 << 24)]
    (tmp_path / "a.raw").write_text("a,b\n1\n")
    (tmp_path / "out").mkdir()
    ask = {
        "path": str(tmp_path / "a.raw"), "folder": str(tmp_path / "out"), "form": "csv", "gzip": False, "names": [],
        "address": '{"rows": 7}', "ds": "", "max_file": 1 << 24, "max_field": 1 << 10, "seconds": 9,
    }  # fmt: skip
    ended = subprocess.run(
        words, input=json.dumps(ask).encode() + b"\n", capture_output=True, env=ENVIRONMENT, check=True
    )
    ready, answer = ended.stdout.splitlines()
    assert json.loads(ready) == {}
    assert json.loads(answer) == {"rows": 1, "misread": {"bad_line": 1}}
