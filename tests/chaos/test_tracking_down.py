"""MLflow down or slow: the night goes on within its patience, and a replay ships the record once, wherever it was cut.

The real server's app answers on a real socket; a fault stands before it, from a chosen call of the shipment on.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from pipeline import tracking
from pipeline.nightly import STAGES
from pipeline.settings import Night
from pipeline.tracking import client
from tests.chaos.conftest import Matrix, counts, is_full
from tests.test_tracking import DAY, FROZEN, TRAINED, a_night, artifacts, registered, runs, write_record

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's about its own dependencies, in the server's threads

PATIENCE = 2.0  # seconds; of these trials
SLACK = 2.0  # seconds; a busy machine's
Answer = Iterable[bytes]


class Server:
    """MLflow's app behind a fault that begins after so many calls; none at first."""

    def __init__(self, app: Callable[..., Answer]) -> None:
        self.app, self.fault, self.calls, self.spared = app, "", 0, 0
        self.over = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        self.calls += 1
        if not self.fault or self.calls <= self.spared:
            return self.app(environ, start)
        answer: Answer = getattr(self, f"_{self.fault}")(environ, start)
        return answer

    def begin(self, fault: str, spared: int) -> None:
        """From the call after `spared` on, this happens."""
        self.over.clear()
        self.fault, self.calls, self.spared = fault, 0, spared

    def end(self) -> None:
        """All is well again; who hangs is cut off."""
        self.fault, self.calls = "", 0
        self.over.set()

    def _silent(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        """Takes half of what is sent, then nothing, and says nothing."""
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
        self.over.wait(120)
        return self._cut(environ, start)

    def _error(self, _environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        start("500 Internal Server Error", [("Content-Length", "4")])
        return [b"down"]

    def _trickle(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        """Answers in time, but never to the end: a time-out of a socket counts from byte to byte."""
        start("200 OK", [("Content-Length", "100000"), ("Content-Type", "application/json")])
        while not self.over.wait(0.2):
            yield b" "
        self._cut(environ, start)

    def _lost(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        """Does what is asked, and the answer is lost on the way."""
        list(self.app(environ, lambda *_: lambda _text: None))
        return self._cut(environ, start)

    def _cut(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start("503 Service Unavailable", [])
        return []


# Time-outs short enough for many trials, while the fault is on; the real ones are tried in `test_bound`.
HASTY = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}
FAULTS = ("trickle", "lost", "silent", "error", "cut")[: counts(2, 5)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """MLflow on a free port of loopback, in a thread, where the client looks for it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in client.CALM:
            patch.delenv(name, raising=False)
        patch.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{home / 'server.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(home / "served"))
        patch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
        from mlflow.server import app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: Any) -> None:
                """Nothing: broken pipes are what this is about."""

        stands = Server(app)
        with make_server("127.0.0.1", 0, stands, threaded=True, request_handler=Quiet) as http:
            threading.Thread(target=http.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{http.server_port}"
            patch.setenv("MLFLOW_TRACKING_URI", address)
            client.connect(home, 600).search_experiments()  # its first call makes the database,
            patch.setenv("MLFLOW_TRACKING_URI", address)  # and points this variable at it
            yield stands
            stands.end()
            http.shutdown()
        for name in client.CALM:
            os.environ.pop(name, None)


def a_record(home: Path, shop: str) -> Night:
    """A published night whose model is larger than what sockets buffer."""
    night = a_night(home, shop)
    write_record(night)
    (night.models / "encoder" / TRAINED / "model.safetensors").write_bytes(b"w" * 2**23)
    return night


def published(night: Night) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(night.warehouse.rglob("*")) if path.is_file()}


def is_shipped_once(store: Any, night: Night) -> bool:
    """Each run once and whole, each curve's points once, each version once, as on a day without a fault."""
    found = runs(store, night)
    parent, tuned = found[f"{DAY} night"], found["recommendations"]
    curve = store.get_metric_history(tuned.info.run_id, "train/loss")
    return (
        set(found) == {f"{DAY} night", "encoder", "recommendations"}
        and {run.info.status for run in found.values()} == {"FINISHED"}
        and tuned.data.tags["mlflow.parentRunId"] == parent.info.run_id
        and [(point.step, point.value) for point in curve] == [(step, 1 / step) for step in range(1, 1201)]
        and artifacts(store, parent.info.run_id) == {"report.html", "data_docs/ingest/index.html", "judgement.json"}
        and registered(store, night, "encoder") == [FROZEN, TRAINED]
        and registered(store, night, "recommendations") == [TRAINED]
    )


def survives(
    server: Server, night: Night, fault: str, spared: int, patience: float, environment: dict[str, str]
) -> float | None:
    """Ship under a fault, then replay without: the seconds that the night waited; None where anything went wrong."""
    before = published(night)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server.begin(fault, spared)
        begun = perf_counter()
        shipped = tracking.ship(night, patience)
        waited = perf_counter() - begun
        tracking.align(night, patience / 2)
        aligned = perf_counter() - begun - waited
        server.end()
    fine = max(waited, aligned) < patience + SLACK and published(night) == before
    # A fault that begins with the shipment's last answer may leave it whole: then there is nothing to replay.
    fine = fine and tracking.replay(night) == ([] if shipped else [night.record]) and tracking.replay(night) == []
    return waited if fine and is_shipped_once(client.connect(night.home, 600), night) else None


def test_down_or_slow(server: Server, home: Path, matrix: Matrix) -> None:
    undisturbed = a_record(home, "undisturbed")
    server.begin("", 0)
    tracking.ship(undisturbed)
    calls = server.calls
    assert is_shipped_once(client.connect(home, 600), undisturbed)
    tries = counts(1, 20)
    waits = []
    for number, fault in enumerate(FAULTS):
        for turn in range(tries):
            night = a_record(home, f"{fault}{turn}")
            spared = (turn * len(FAULTS) + number) * calls // (tries * len(FAULTS))
            waits.append(survives(server, night, fault, spared, PATIENCE, HASTY))
    survived = [waited for waited in waits if waited is not None]
    matrix.row(
        "MLflow down or slow", len(waits), len(survived), f"cut at calls 0 to {calls}; replayed once",
        longest_wait_seconds=round(max(survived, default=0), 1), patience_seconds=PATIENCE, calls=calls,
    )  # fmt: skip
    assert len(survived) == len(waits), [
        (FAULTS[place // tries], place % tries) for place, waited in enumerate(waits) if waited is None
    ]


@pytest.mark.skipif(not is_full(), reason="waits minutes for a server that never answers")
def test_bound(server: Server, home: Path, matrix: Matrix) -> None:
    """As a night has it: nothing shortened."""
    waits = [survives(server, a_record(home, f"bound-{fault}"), fault, 5, tracking.SECONDS, {}) for fault in FAULTS]
    survived = [waited for waited in waits if waited is not None]
    matrix.row(
        "MLflow down or slow, a night's own patience", len(waits), len(survived),
        longest_wait_seconds=round(max(survived, default=0), 1), patience_seconds=tracking.SECONDS,
    )  # fmt: skip
    assert len(survived) == len(waits)


def test_nobody_listens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    night = a_record(home, "refused")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    begun = perf_counter()
    assert tracking.ship(night) is None
    assert perf_counter() - begun < PATIENCE + SLACK


def test_the_snapshot_is_published_before_mlflow_is_asked() -> None:
    order = [stage.name for stage in STAGES]
    assert order.index("publish") < order.index("report")
