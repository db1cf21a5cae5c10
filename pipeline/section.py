"""Sections of reviewed YAML files: frozen, refusing what they do not know, and read with one clear error.

Not here: what the sections are (`policy`, `pages`, `settings`, `delivery`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ConfigError


class Section(BaseModel):
    """A frozen part of the settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Read = TypeVar("Read", bound=Section)


def read(
    path: Path, section: type[Read], whole: str, placed: Callable[[dict[str, Any], Path], dict[str, Any]] | None = None
) -> Read:
    """Read and check a file.

    Args:
        path: of the YAML file.
        section: what it must hold.
        whole: what an error calls all of it.
        placed: makes places in it absolute, from what was loaded and the file's folder.

    Raises:
        ConfigError: unreadable, no mapping, or a key that is missing, unknown or wrong.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        raise ConfigError(f"{path}: not readable YAML ({str(error).splitlines()[0]}); mend the file") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: expected a mapping, key: value, of {whole}; mend the file")
    try:
        return section.model_validate(placed(loaded, path.parent) if placed else loaded)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or whole
        raise ConfigError(f"{path}: {where}: {first['msg']}; mend this key") from error
