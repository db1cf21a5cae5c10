"""Hashes are written for each version as the index has them, and what stands there of a build from elsewhere stays."""

from pathlib import Path

import pytest

from ops import lock

TEXT = "# Why.\nb-c==2 --hash=sha256:01\nb==1 ; sys_platform == 'linux'\n"


@pytest.fixture
def index(tmp_path: Path) -> str:
    """A command that answers as the one that asks an index does."""
    path = tmp_path / "uv"
    b, c = (
        "b==1 ; sys_platform == 'linux' \\\n    --hash=sha256:04\n",
        "b-c==2 \\\n    --hash=sha256:03 --hash=sha256:02\n",
    )
    (tmp_path / "answer").write_text(c + b)
    path.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked; cat {tmp_path}/answer\n")
    path.chmod(0o755)
    return str(path)


def test_all_hashes_stand_with_their_version_in_the_order_of_names(index: str, tmp_path: Path) -> None:
    told = lock.renewed(TEXT, index)
    assert told == (
        "# Why.\nb==1 ; sys_platform == 'linux' \\\n    --hash=sha256:04\n"
        "b-c==2 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02 \\\n    --hash=sha256:03\n"
    )
    assert (tmp_path / "asked").read_text() == "b-c==2\nb==1 ; sys_platform == 'linux'"
    assert lock.renewed(told, index) == told


def test_a_version_that_the_index_does_not_have_is_not_let_through(index: str) -> None:
    with pytest.raises(KeyError, match="b-c==3"):
        lock.renewed("b-c==3 --hash=sha256:01\n", index)
