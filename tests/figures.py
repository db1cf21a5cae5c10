"""Figures of a test session as a file: flat names to numbers, with the machine, its load and the commit they are of."""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def slug(words: str) -> str:
    """Words as part of a figure's name."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def write(name: str, figures: Mapping[str, float]) -> str:
    """Write `build/figures/NAME.json`, whole; returns its path from the root."""
    path = ROOT / "build" / "figures" / f"{name}.json"
    facts = {"machine": _machine(), "load": round(os.getloadavg()[0], 2), "commit": _commit()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures | facts, indent=1, sort_keys=True) + "\n")
    return str(path.relative_to(ROOT))


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    described = subprocess.run(
        [git, "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"
