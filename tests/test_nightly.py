"""The list of stages and how they are run: order, progress, notes of failures. Whole nights: `test_night.py`."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import nightly, stages
from pipeline.errors import ConfigError, DataError, Refused, Superseded
from pipeline.nightly import STAGES, Stage
from pipeline.record import RUNS, last_values
from pipeline.settings import Night, load_shop
from pipeline.warehouse import fence

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "mlflow", "great_expectations", "pandas", "duckdb", "ibis", "matplotlib", "airflow")


@pytest.fixture
def night(tmp_path):
    return Night(load_shop("grocer"), date(2017, 3, 31), tmp_path)


@pytest.fixture
def ran(monkeypatch):
    """Every stage replaced by one that only notes its call; `failing` makes one of them fail. The calls."""
    calls = SimpleNamespace(made=[], failing={}, left=[])

    def module(path):
        name = path.rsplit(".", 1)[-1]

        def run(night, item, recorder, progress):
            calls.made.append((name, item))
            if name in calls.failing:
                raise calls.failing[name]
            recorder.metrics({"seen": 1})
            progress(1, 2)
            return {"stage": name}

        return SimpleNamespace(run=run)

    monkeypatch.setattr(nightly, "import_module", module)
    monkeypatch.setattr(nightly, "_leave_record", lambda night: calls.left.append(night.record))
    return calls


ORDER = [(stage.name, item) for stage in STAGES for item in stage.over or (None,)]


def test_the_stages_are_these_in_this_order():
    assert (
        Stage("ingest"),
        Stage("features"),
        Stage("encoder"),
        Stage("fine_tune", ("recommendations", "audiences", "sentiment", "answers", "asking", "phrasing")),
        Stage("judge"),
        Stage(
            "score",
            (
                "recommendations",
                "cart_recommendations",
                "ad_audiences",
                "user_profiles",
                "page_layouts",
                "review_sentiment",
                "open_questions",
            ),
        ),
        Stage("balance"),
        Stage("place"),
        Stage("answers"),
        Stage("audit"),
        Stage("publish"),
        Stage("report"),
    ) == STAGES


def test_every_stage_has_its_file():
    for stage in STAGES:
        assert (Path(stages.__path__[0]) / f"{stage.name}.py").is_file()


def test_a_night_runs_them_all(night, ran):
    told = []
    done = nightly.run_night(night, progress=lambda *words: told.append(words))
    assert ran.made == ORDER
    assert list(done) == [f"{name}-{item}" if item else name for name, item in ORDER]
    assert [words for words in told if len(words) == 2] == ORDER
    assert [words for words in told if len(words) == 4] == [(name, item, 1, 2) for name, item in ORDER]


@pytest.mark.parametrize("first", [None, "features", "score", "report"])
@pytest.mark.parametrize("last", [None, "report", "score"])
def test_a_part_of_the_night_runs_from_one_to_another(night, ran, first, last):
    names = [stage.name for stage in STAGES]
    part = names[names.index(first or "ingest") : names.index(last or "report") + 1]
    if not part:
        with pytest.raises(ConfigError, match="stands before"):
            nightly.run_night(night, first, last)
        assert not ran.made
        return
    nightly.run_night(night, first, last)
    assert ran.made == [(name, item) for name, item in ORDER if name in part]


@pytest.mark.parametrize("call", [{"first": "cook"}, {"last": "cook"}])
def test_an_unknown_stage_is_named_with_the_known(night, ran, call):
    with pytest.raises(ConfigError, match=r"'cook'.*ingest.*report"):
        nightly.run_night(night, **call)
    with pytest.raises(ConfigError, match="cook"):
        nightly.run_stage(night, "cook")
    assert not ran.made
    assert not night.record.exists()


def test_the_first_stage_begins_the_record_anew(night, ran):
    nightly.run_stage(night, "judge")
    nightly.run_stage(night, "ingest")
    assert not (night.record / RUNS / "judge").exists()
    tags = last_values(night.record, "tags")
    assert (tags["shop"], tags["day"], tags["run"], tags["status"]) == ("grocer", "2017-03-31", "night", "running")
    assert tags["policy_hash"] == night.shop.policy_hash
    assert tags["code_version"]


def test_a_stage_notes_its_time_and_outcome(night, ran):
    assert nightly.run_stage(night, "score", "user_profiles") == {"stage": "score"}
    folder = night.record / RUNS / "score-user_profiles"
    assert last_values(folder, "tags") == {"stage": "score", "item": "user_profiles", "status": "done"}
    metrics = last_values(folder, "metrics")
    assert metrics["seen"] == 1
    assert metrics["stage/seconds"] >= 0


@pytest.mark.parametrize(
    ("error", "status"), [(DataError("bad rows"), "failed"), (Refused("too few"), "refused"), (KeyError("x"), "failed")]
)
def test_a_failure_is_noted_left_behind_and_raised(night, ran, error, status):
    ran.failing["features"] = error
    with pytest.raises(type(error)) as raised:
        nightly.run_night(night)
    assert raised.value is error
    assert ran.made == ORDER[:2]
    stage = last_values(night.record / RUNS / "features", "tags")
    assert stage["status"] == "failed"
    assert stage["error"] == f"{type(error).__name__}: {error}"
    tags = last_values(night.record, "tags")
    assert (tags["status"], tags["failed_stage"], tags["error"]) == (status, "features", str(error))
    assert ran.left == [night.record]


def test_run_again_a_stage_forgets_its_failure(night, ran):
    ran.failing["judge"] = Refused("no")
    with pytest.raises(Refused):
        nightly.run_stage(night, "judge")
    del ran.failing["judge"]
    nightly.run_stage(night, "judge")
    assert last_values(night.record / RUNS / "judge", "tags")["status"] == "done"


@pytest.mark.parametrize("broken", [OSError("disk full"), ImportError("no matplotlib"), KeyError("half a record")])
def test_the_first_error_is_told_even_if_the_record_cannot_be_left(night, monkeypatch, caplog, broken):
    def module(path):
        def fail(*_):
            raise broken if "reports" in path else DataError("the night's own")

        return SimpleNamespace(run=fail, render=fail)

    monkeypatch.setattr(nightly, "import_module", module)
    with pytest.raises(DataError, match="the night's own"):
        nightly.run_stage(night, "ingest")
    assert "stays local" in caplog.text


def test_failpoints_stand_around_every_task_and_step():
    places = nightly.failpoints()
    assert len(places) == len({*places}) >= 40
    assert {"before-stage-ingest", "after-stage-score-user_profiles", "before-pointer", "after-fence"} <= {*places}
    assert len([place for place in places if "-stage-" in place]) == 2 * len(ORDER)


@pytest.mark.parametrize("place", ["before-stage-judge", "after-stage-judge"])
def test_a_stage_passes_its_places_while_its_attempt_lasts(night, ran, monkeypatch, place):
    def reached(name):
        if name == place:
            fence.begin(night.warehouse, night.work.name)
            raise KeyboardInterrupt

    monkeypatch.setattr(nightly, "reached", reached)
    with pytest.raises(KeyboardInterrupt):
        nightly.run_stage(night, "judge")
    assert ran.made == ([] if place.startswith("before") else [("judge", None)])


def overtaken(night, ran, monkeypatch, during, begin_again):
    """Run a night which another start of it overtakes during a stage; what is raised."""
    first = nightly.import_module

    def module(path):
        def run(*words):
            done = first(path).run(*words)
            if path.endswith(during):
                begin_again()
            return done

        return SimpleNamespace(run=run)

    monkeypatch.setattr(nightly, "import_module", module)
    with pytest.raises(Superseded) as raised:
        nightly.run_night(night)
    return str(raised.value)


def test_a_night_started_twice_goes_on_as_the_newer_one(night, ran, monkeypatch):
    words = overtaken(night, ran, monkeypatch, "features", lambda: fence.begin(night.warehouse, night.work.name))
    assert words.startswith("run 2017-03-31-night, features: a newer attempt")
    assert ran.made == ORDER[:2]
    assert ran.left == []
    assert "status" not in last_values(night.record, "tags") or last_values(night.record, "tags")["status"] == "running"
    assert "status" not in last_values(night.record / RUNS / "features", "tags")


def test_an_overtaken_copy_that_fails_says_only_that_it_was_overtaken(night, ran, monkeypatch):
    def fail():
        nightly.run_stage(night, "ingest")
        raise OSError("the newer one has cleared the staging area")

    assert "newer attempt" in overtaken(night, ran, monkeypatch, "features", fail)
    assert ran.left == []
    assert last_values(night.record, "tags")["status"] == "running"


def test_a_task_run_again_supersedes_its_older_copy_alone(night, ran):
    epoch = fence.begin(night.warehouse, night.work.name)
    with fence.enter(night.warehouse, night.work.name, "judge") as older:
        nightly.run_stage(night, "judge")
        with fence.enter(night.warehouse, night.work.name, "audit", epoch):
            pass
        with pytest.raises(Superseded), older.held():
            pass
        nightly.run_stage(night, "ingest")
        with pytest.raises(Superseded), fence.enter(night.warehouse, night.work.name, "audit", epoch):
            pass


def test_importing_the_list_stays_light():
    words = f"import sys, pipeline.nightly; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
