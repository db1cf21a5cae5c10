"""Whole nights of made-up shops of several sizes: python -m benchmarks.end_to_end [events …].

Each shop (`shop_at_scale`: a user per 100 events, an item per 200) has a first night on the day by which all but a
twentieth of its events have arrived, and a next night on its last day, which reads that twentieth. Each night runs in a
process of its own, which tells what every task took: seconds, processor seconds (its parsing children's, too), and the
most memory it held. Seconds tell of a busy machine, too; processor seconds hardly do. Figures go to
build/figures/end_to_end_EVENTS.json; the shops lie in SHOPKEEL_HOME/scale-EVENTS until the next run of that size.

Settings are the grocer's, training among them, but for idle users' lists, which stand for REST nights, for models of
purchases, which are trained again once FRESH more have come, on the first night alone, and for how groups of goods have
to be shown and how good models have to be, as all is made up: asked is what nights cost.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from benchmarks import shop_at_scale
from benchmarks.side_by_side import Calibration, note_figures, own_peak_mib, peak_anew
from pipeline import nightly, settings
from pipeline.errors import ShopkeelError

SIZES, NEW, NAME = (100_000, 300_000, 1_000_000), 0.05, "end_to_end"
REST, FRESH = 6, 0.1
NIGHTS = ("first", "next")
MEASURES = ("seconds", "cpu_seconds", "peak_mib")
Taken = dict[str, dict[str, float]]


def size_of(events: int) -> shop_at_scale.Size:
    """Ten million events are of 100,000 users and 50,000 items; all three grow alike."""
    return shop_at_scale.Size(events, max(events // 100, 1), max(events // 200, 100))


def days(size: shop_at_scale.Size, first_day: date) -> dict[str, date]:
    """The business day of each night."""
    last = first_day + timedelta(size.days - 1)
    return {"first": last - timedelta(round(size.days * NEW)), "next": last}


class Watch:
    """What each task of a night takes, told when the next one begins."""

    def __init__(self) -> None:
        """Begin."""
        self.taken: Taken = {}
        self._task, self._since = "", (0.0, 0.0)

    def __call__(self, stage: str, item: str | None = None, *inner: int) -> None:
        """A night's progress: a task begins; steps inside one are not looked at."""
        if not inner:
            self.end()
            self._task, self._since = f"{stage} {item}" if item else stage, (perf_counter(), _processor_seconds())
            peak_anew()

    def end(self) -> None:
        """The night is over."""
        if self._task:
            found = perf_counter() - self._since[0], _processor_seconds() - self._since[1], _peak_mib()
            self.taken[self._task] = dict(zip(MEASURES, found, strict=True))
            # Told at once, so that it is known of a night that is refused, too.
            print(self._task, *(f"{one:,.1f}" for one in found), file=sys.stderr, flush=True)


def _processor_seconds() -> float:
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def _peak_mib() -> float:
    return max(own_peak_mib(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def alone(home: Path, day: date) -> Taken:
    """A night in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.end_to_end", "alone", str(home), str(day)]
    environment = os.environ | {"SHOPKEEL_HOME": str(home), "SHOPKEEL_USER_KEY": "5a" * 32}
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    taken: Taken = json.loads(told.splitlines()[-1])
    return taken


def _run(home: Path, day: date) -> None:
    watch = Watch()
    try:
        nightly.run_night(settings.open_night(str(home / "drops" / "scale.yaml"), str(day)), progress=watch)
    except ShopkeelError as error:
        sys.exit(f"{day}: {error}")
    watch.end()
    print(json.dumps(watch.taken))


def measure(events: int, home: Path) -> dict[str, float]:
    """Make a shop and run its two nights; prints and keeps what they took.

    Args:
        events: of the shop.
        home: folder that the shop is made in, anew.
    """
    shutil.rmtree(home, ignore_errors=True)
    size, before = size_of(events), Calibration.now()
    shop_at_scale.write(home / "drops", size)
    _spare(home / "drops" / "scale.yaml")
    figures: dict[str, float] = {"events": events, "users": size.users, "items": size.items}
    for name, day in days(size, settings.load_shop("grocer").first_day).items():
        taken = alone(home, day)
        _show(f"{events:,} events, {name} night ({day})", taken)
        for task, found in (taken | {"night": whole(taken)}).items():
            figures |= {f"{name}/{task}/{measured}": value for measured, value in found.items()}
        figures[f"{name}/disk_mib"] = sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) / 2**20
        told = {f"{NAME}/{fact}": value for fact, value in figures.items()}
        note_figures(f"{NAME}_{events}", told, before, drift=before.drift(Calibration.now()))
    return figures


def _spare(path: Path) -> None:
    """Let idle users rest, models stand and brands be shown as it comes in the shop of a settings file."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    policy = yaml.safe_load((resources.files("pipeline.shops.policies") / "default.yaml").read_text(encoding="utf-8"))
    policy["audit"]["exposure"] = {axis: [0.0, 1000.0] for axis in policy["audit"]["exposure"]}
    policy["rest_nights"] = REST
    raw["policy"] = policy
    raw["thresholds"][
        "recommendations_min_ndcg_gain"
    ] = -1.0  # models serve even where little was made up to be learned
    for section in ("encoder", "recommender"):
        raw[section]["fresh_share"] = FRESH
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")


def whole(taken: Taken) -> dict[str, float]:
    """What a night took: sums, and the most memory."""
    return {name: (max if name == "peak_mib" else sum)(one[name] for one in taken.values()) for name in MEASURES}


def _show(title: str, taken: Taken) -> None:
    table = Table("task", "s", "processor s", "peak MiB", title=title)
    for task, found in (taken | {"night": whole(taken)}).items():
        table.add_row(task, *(f"{found[name]:,.1f}" for name in MEASURES[:2]), f"{found['peak_mib']:,.0f}")
    Console().print(table)


def main(sizes: list[int]) -> dict[int, dict[str, Any]]:
    """All sizes, one after the other."""
    return {events: measure(events, settings.home() / f"scale-{events}") for events in sizes}


if __name__ == "__main__":
    if sys.argv[1:2] == ["alone"]:
        _run(Path(sys.argv[2]), date.fromisoformat(sys.argv[3]))
    else:
        main([int(one) for one in sys.argv[1:]] or list(SIZES))
