"""Commands about the installation: shops, docs, weights, doctor."""

import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pipeline import state
from pipeline.cli.app import ShopOption, a_night, app, out, print_facts, print_table, size
from pipeline.errors import ConfigError, ShopkeelError
from pipeline.settings import Night, any_home, known_shops, load_shop

PANEL = "Installation"
# Oldest versions that hold: older ones lack an interface used here, or a security fix.
FLOORS = {
    "apache-airflow": (3, 3),
    "mlflow": (3, 15),
    "great-expectations": (1, 24),
    "torch": (2, 10),
    "transformers": (5, 3),
    "pandas": (3, 0),
    "pyarrow": (24, 0),
    "ibis-framework": (12, 0),
    "duckdb": (1, 4),
}
WEIGHTS = "model.safetensors"
FREE_DISK, FREE_MEMORY = 5e9, 4e9  # a first night of the grocer shop, with room to spare


@dataclass(frozen=True)
class Check:
    """One line of `doctor`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel shops")
def shops() -> None:
    """List the shops and where their settings are."""
    rows = []
    for name, path in known_shops().items():
        shop = load_shop(name)
        rows.append((name, shop.profile, shop.adapter, shop.timezone, path))
    print_table(("shop", "profile", "adapter", "time zone", "settings"), rows)


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel docs --folder docs")
def docs(folder: Annotated[Path, typer.Option(help="Where the pages go.")] = Path("docs")) -> None:
    """Write the pages on tables and feeds from the contracts."""
    from pipeline.contracts.docs import write_pages

    print_facts(("written", path) for path in write_pages(folder))


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel weights")
def weights(shop: ShopOption = "grocer") -> None:
    """Prepare the pretrained weights that installed packages carry; nothing is downloaded."""
    from pipeline.learning import checkpoints

    print_facts(checkpoints.prepare(a_night(shop).home).items())


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel doctor")
def doctor(shop: ShopOption = "grocer") -> None:
    """Check that this machine can run a night; ends with an error when something must be mended."""
    checks = list(_checks(a_night(shop)))
    width = max(len(check.name) for check in checks)
    for check in checks:
        out.print("ok  " if check.ok else "bad ", style="green" if check.ok else "bold red", end="")
        out.print(f"{check.name:<{width}}  {check.found}" + ("" if check.ok else f": {check.remedy}"), soft_wrap=True)
    if bad := sum(not check.ok for check in checks):
        raise ConfigError(f"doctor: {bad} of {len(checks)} checks failed; follow the remedies above")


@app.command(rich_help_panel=PANEL, epilog="Example: shopkeel upgrade")
def upgrade() -> None:
    """Bring the state in SHOPKEEL_HOME to the version of this shopkeel; back it up before. Again, it does nothing."""
    from pipeline import upgrade as upgrades

    home = any_home()
    done = upgrades.upgrade(home)
    for one in done:
        typer.echo(f"to version {one.to}: {one.what}")
    typer.echo(f"{home}: {'now' if done else 'already'} at version {state.VERSION}")


def _checks(night: Night) -> Iterator[Check]:
    python = sys.version_info
    yield Check("python", python >= (3, 11), sys.version.split()[0], "install Python 3.11 or newer")
    yield from (_version(name, floor) for name, floor in FLOORS.items())
    yield _weights(night)
    yield from _compute(night.shop.threads)
    yield from _room(night.home)
    yield _engines()


def _version(name: str, floor: tuple[int, int]) -> Check:
    remedy = f"install {name} {'.'.join(map(str, floor))} or newer, best from the lock file"
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", remedy)
    major, minor = (int(part) for part in found.split(".")[:2])
    return Check(name, (major, minor) >= floor, found, remedy)


def _weights(night: Night) -> Check:
    from pipeline.learning import checkpoints

    reference = night.shop.encoder.checkpoint
    try:
        folder = checkpoints.resolve(reference, night.home)
    except ShopkeelError as error:
        return Check("weights", False, str(error), "run `shopkeel weights`")
    licence = folder / checkpoints.LICENCE_FILE
    if licence.is_file() and checkpoints.sha256(folder / WEIGHTS) != json.loads(licence.read_text())["sha256"]:
        found = f"{folder / WEIGHTS} is not what was unpacked"
        return Check("weights", False, found, f"delete {folder} and run `shopkeel weights`")
    return Check("weights", True, f"{reference} in {folder}")


def _compute(threads: int) -> Iterator[Check]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{usable} usable, the shop asks for {threads}"
    yield Check("threads", usable >= threads, found, "lower `threads` in the shop's settings")
    if find_spec("torch") is None:
        return
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none, trains on the CPU"
    yield Check("gpu", True, gpu)


def _room(home: Path) -> Iterator[Check]:
    import psutil

    free = psutil.virtual_memory().available
    yield Check("memory", free >= FREE_MEMORY, f"{size(free)} free", f"free up to {size(FREE_MEMORY)}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        yield Check("home", False, f"{home}: {error.strerror}", "make it writable or point SHOPKEEL_HOME elsewhere")
        return
    yield Check("home", True, f"{home} is writable")
    version = state.version_of(home)
    found = "none yet" if version is None else f"version {version} of {state.VERSION}"
    yield Check("state", version in (None, state.VERSION), found, "back the home up, then run `shopkeel upgrade`")
    disk = shutil.disk_usage(home).free
    yield Check("disk", disk >= FREE_DISK, f"{size(disk)} free", f"free up to {size(FREE_DISK)} or move SHOPKEEL_HOME")


def _engines() -> Check:
    java, spark = shutil.which("java"), find_spec("pyspark") is not None
    found = f"Java {'found' if java else 'absent'}, PySpark {'found' if spark else 'absent'}"
    return Check("spark", True, f"{found} (optional: DuckDB is the engine)")
