"""CONTRIBUTING's worked examples as a newcomer would do them: applied to a copy, where what they touch is checked."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
LONGEST = 60  # lines
COPIED = ("pipeline", "dags", "expectations", "docs", "tests")
SUITES = "tests/expectations/test_suites.py"
# Each with the tests that a newcomer runs for it.
CHECKS = {
    "add_a_feed_column": ["tests/feeds/test_items.py", "tests/contracts/test_feeds.py", SUITES],
    "add_a_table": ["tests/tables/test_best_sellers.py", "tests/contracts/test_tables.py", SUITES],
    "add_a_model": ["tests/models/test_rarity.py", "tests/models/test_recommendations.py"],
}


def added(patch: str) -> list[str]:
    return [line for line in patch.splitlines() if re.match(r"\+(?!\+\+)", line)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources that an example may touch, in a folder of their own."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "images"))
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_every_example_is_named_in_contributing_and_is_short():
    words = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {path.stem for path in EXAMPLES.glob("*.patch")} == set(CHECKS)
    for name in CHECKS:
        assert f"docs/examples/{name}.patch" in words
        assert 0 < len(added((EXAMPLES / f"{name}.patch").read_text(encoding="utf-8"))) < LONGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_an_example_applies_and_passes_what_it_touches(copy: Path, name: str) -> None:
    git, patch = shutil.which("git"), EXAMPLES / f"{name}.patch"
    assert git is not None
    subprocess.run([git, "apply", patch], cwd=copy, check=True)
    touched = re.findall(r"^\+\+\+ b/(\S+\.py)$", patch.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert touched
    docs = "from pipeline.cli import main; main()"
    ours = {"cwd": copy, "env": {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy)}, "text": True, "check": False}
    for words in (
        ["-c", docs, "docs"],
        ["-m", "ruff", "check", *touched],
        ["-m", "ruff", "format", "--check", "--force-exclude", *touched],
        ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *CHECKS[name]],
    ):
        done = subprocess.run([sys.executable, *words], capture_output=True, **ours)  # type: ignore[call-overload]
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
