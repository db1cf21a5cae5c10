"""Which version of the state a home (`SHOPKEEL_HOME`) holds, by its `state.json`, and whether this code may use it.

Not here: moving a home from one version to the next (`upgrade`).
"""

import json
from pathlib import Path

from pipeline.errors import ConfigError

FILE = "state.json"
VERSION = 1
"""Of a new home. Count up, with a migration in `upgrade`, when files move or come to mean something else."""
OLDEST = 0
"""What this code still uses as it is; 0 is a home of before there was a file."""


def version_of(home: Path) -> int | None:
    """The version of a home's state; None of one that holds nothing of a shop yet.

    Raises:
        ConfigError: its file says no version.
    """
    path = home / FILE
    try:
        version = json.loads(path.read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        used = any(True for kind in ("feeds", "warehouse/snapshots") for _ in home.glob(f"*/{kind}/*"))
        return 0 if used else None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: says no version ({error!r}); restore it from the backup of this home") from error
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise ConfigError(f"{path}: version {version!r} is none; restore it from the backup of this home")
    return version


def accepted(home: Path) -> Path:
    """The home itself.

    Raises:
        ConfigError: its state is of a newer version than this code, or too old for it.
    """
    version = version_of(home)
    if version is not None and version > VERSION:
        raise ConfigError(
            f"{home}: its state has version {version}, this shopkeel knows {VERSION}; "
            "install the newer shopkeel that wrote it, or restore the backup made before"
        )
    if version is not None and version < OLDEST:
        raise ConfigError(f"{home}: its state has version {version}, too old to use as it is; run `shopkeel upgrade`")
    return home
