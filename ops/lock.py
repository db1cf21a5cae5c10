"""Write the locks' hashes: of every file of each locked version, as the package index has them.

Hashes that stand there already stay while the version does, as a build that lies elsewhere (torch for the CPU alone) is
not in the index. Versions are chosen by hand: docs/decisions/0003-pip-and-one-lock.md.
"""

import subprocess
import sys
from pathlib import Path

ASK = ("pip", "compile", "-", "--no-deps", "--universal", "--generate-hashes", "--no-annotate", "--no-header")


def read(text: str) -> dict[str, set[str]]:
    """Hashes by requirement, which is a version and maybe the platform that it is for."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    parts = [[part.strip() for part in line.split("--hash=")] for line in lines]
    return {requirement: set(hashes) for requirement, *hashes in parts}


def renewed(text: str, uv: str) -> str:
    """A lock's text with all hashes, in the order of names.

    Args:
        text: with a version a line; hashes may be missing.
        uv: the command that asks the index.
    """
    known = read(text)
    asked = subprocess.run([uv, *ASK], input="\n".join(known), text=True, stdout=subprocess.PIPE, check=True)
    found = read(asked.stdout)
    lines = [line for line in text.splitlines() if line.startswith("#")]
    for requirement in sorted(known, key=lambda one: one.split("==")[0]):
        hashes = sorted(found[requirement] | known[requirement])
        lines.append(" \\\n    ".join([requirement, *(f"--hash={one}" for one in hashes)]))
    return "\n".join(lines) + "\n"


def main(uv: str, *locks: str) -> None:
    """Rewrite files."""
    for path in map(Path, locks):
        path.write_text(renewed(path.read_text(encoding="utf-8"), uv), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
