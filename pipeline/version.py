"""Which code made a table."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def code_version() -> str:
    """The release and, after '+', 8 hex digits over the package's sources: unreleased changes show."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.yaml")]):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return f"{version('shopkeel')}+{digest.hexdigest()[:8]}"
