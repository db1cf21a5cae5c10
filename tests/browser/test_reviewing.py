"""What docs/reviewing.md promises to whoever reviews a night, looked for in a real browser; and its pictures.

`make browser` runs two nights of the corner shop, the second by Airflow, and keeps what it saw under build/shots.
`make browser SHOP=grocer` looks at a home that has nights of that shop, and keeps the pictures of docs/images.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from pipeline.privacy.keys import VARIABLE as KEY
from pipeline.settings import Night, home, load_shop
from pipeline.warehouse.snapshot import current
from tests.chaos import corner
from tests.chromium import Page, chromium

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
TRAINING = "?workflowType=machine_learning"  # MLflow opens on prompts and traces
LARGEST = 300_000  # bytes of a picture


@dataclass(frozen=True)
class Review:
    """A browser before a shop's newest published night.

    Attributes:
        airflow: its address.
        mlflow: its address.
        login: Airflow's user and password.
        shots: where pictures go.
    """

    page: Page
    night: Night
    airflow: str
    mlflow: str
    login: tuple[str, str]
    shots: Path

    def keep(self, name: str, high: int = 1000) -> None:
        """Keep what is seen as `reviewing-NAME.png`."""
        path = self.shots / f"reviewing-{name}.png"
        self.page.picture(path, high)
        assert path.stat().st_size < LARGEST, f"{path}: {path.stat().st_size:,} bytes"

    def runs(self) -> list[str]:
        """MLflow's ids of the shop's published nights, newest day first."""
        with httpx.Client(base_url=f"{self.mlflow}/api/2.0/mlflow", trust_env=False, timeout=120) as http:
            named = {"experiment_name": f"shopkeel/{self.night.shop.name}"}
            experiment = http.get("/experiments/get-by-name", params=named).json()["experiment"]["experiment_id"]
            asked = {"experiment_ids": [experiment], "filter": "tags.status = 'published'"}
            found = http.post("/runs/search", json=asked).json()["runs"]
        newest = sorted(found, key=lambda run: str(run["info"]["run_name"]), reverse=True)
        return [f"{experiment}/runs/{run['info']['run_id']}" for run in newest]


@contextmanager
def services(environment: dict[str, str]) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """`make up` on free ports: where Airflow and MLflow are, and the login."""
    script = f". ops/airflow.sh && exec {sys.executable} ops/services.py up"
    with subprocess.Popen(
        ["sh", "-c", script], cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as up:
        try:
            said = ""
            for line in up.stdout or ():
                said += line
                if line.startswith("Ctrl-C"):
                    break
            told = re.search(r"Airflow  (\S+)   user (\w+), password (\w+)[^$]*?\nMLflow   (\S+)", said)
            assert told, said
            yield told[1], told[4], (told[2], told[3])
        finally:
            up.send_signal(signal.SIGINT)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def corner_nights(folder: Path, checkpoint: Path) -> tuple[Path, dict[str, str]]:
    """Two nights of the corner shop as README runs them, the second by Airflow: its settings, and the environment."""
    settings, package = corner.shop(folder, checkpoint), corner.cut(folder)
    environment = {
        "SHOPKEEL_HOME": str(folder / "home"), KEY: "5a" * 32, "PYTHONPATH": f"{package}:{ROOT}",
        "AIRFLOW_HOME": str(folder / "home" / "airflow"),
    }  # fmt: skip
    conf = json.dumps({"shop": str(settings), "day": str(corner.NIGHT)})
    shopkeel = f'python -c "from pipeline.cli import main; main()" run --shop {settings} --date {corner.EVENING}'
    airflow = f"airflow db migrate && airflow pools set gpu 1 one && airflow dags test nightly --conf '{conf}'"
    for words in (shopkeel, airflow):
        done = subprocess.run(
            ["sh", "-c", f". ops/airflow.sh && {words}"], cwd=ROOT, env=os.environ | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
    return settings, environment


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Review]:
    folder, shop, environment = tmp_path_factory.mktemp("review"), os.environ.get("SHOPKEEL_REVIEWED", ""), {}
    if shop:
        at, shots = home(), ROOT / "docs" / "images"
    else:
        if not shutil.which("chromium"):
            pytest.skip("no browser")
        settings, environment = corner_nights(folder, request.getfixturevalue("tiny_bert"))
        at, shop, shots = folder / "home", str(settings), ROOT / "build" / "shots"
    settings = load_shop(shop)
    published = current(Night(settings, settings.first_day, at).warehouse)
    assert published, f"{at}: no night of {shop} is published"
    night = Night(settings, published.manifest.day, at, published.manifest.run)
    ports = {"SHOPKEEL_HOME": str(at), "AIRFLOW_PORT": free_port(), "MLFLOW_PORT": free_port()}
    with services(environment | ports) as (airflow, mlflow, login), chromium(folder / "profile") as page:
        yield Review(page, night, airflow, mlflow, login, shots)


def test_airflows_grid_has_the_nights_column_with_every_stage(review: Review) -> None:
    page = review.page
    page.open(f"{review.airflow}/dags/nightly")
    page.reads("Sign in")
    for field, words in zip(("username", "password"), review.login, strict=True):
        page.type(f"input[name={field}]", words)
    page.click("Sign in")
    page.reads("nightly", "ingest", "features", "encoder", "fine_tune", "judge", "score", "balance", "place", "publish")
    review.keep("grid", 760)


def test_mlflows_page_of_the_night_says_what_was_published_and_why(review: Review) -> None:
    page = review.page
    page.open(f"{review.mlflow}/#/experiments/{review.runs()[0]}{TRAINING}")
    page.reads(
        f"{review.night.shop.name}, {review.night.day}, run {review.night.run}: published",
        "What changed in lists, and why",
        "Price of consistency", "verdict", "Promises:", "NDCG@10 of the lists", "Gates:", "policy_hash",
    )  # fmt: skip
    page.press("[data-component-id='mlflow.assistant.chat_panel.close']")
    page.click("Show more")
    review.keep("night", 1700)


def test_mlflow_shows_the_plots_of_the_night_and_its_pages(review: Review) -> None:
    page = review.page
    page.open(f"{review.mlflow}/#/experiments/{review.runs()[0]}/artifacts/plots/front.png{TRAINING}")
    page.reads("report.html", "marketing.html", "data_docs", "plots", "balance.json", "promises.json")
    page.waits("[...document.images].some(one => one.naturalWidth > 300)")
    review.keep("plots", 980)


def test_two_nights_compare(review: Review) -> None:
    page, newest = review.page, review.runs()[:2]
    experiment = newest[0].split("/")[0]
    named = json.dumps([one.split("/")[-1] for one in newest], separators=(",", ":"))
    page.open(f'{review.mlflow}/#/compare-runs?runs={named}&experiments=["{experiment}"]&{TRAINING[1:]}')
    page.reads("Comparing 2 Runs", "ndcg/fused_at_10", "split.day", "Show diff only")
    review.keep("compare", 1000)


def test_a_registered_model_tells_its_champions(review: Review) -> None:
    page = review.page
    page.open(f"{review.mlflow}/#/models/shopkeel.{review.night.shop.name}.recommendations{TRAINING}")
    page.reads("@ champion", "@ challenger", "served_first", "served_last", "grew_from")
    review.keep("champions", 960)


PAGES = {
    "report": ("report.html", 1400),
    "marketing": ("marketing.html", 1200),
    "data-docs": ("runs/audit/files/data_docs/index.html", 860),
}
WORDS: dict[str, Callable[[Night], tuple[str, ...]]] = {
    "report": lambda night: (str(night.day), "quarantine", "published", "promises"),
    "marketing": lambda night: ("campaign", "audience", "expected"),
    "data-docs": lambda night: ("Great Expectations", "recommendations", "promises", "passed"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_night_opens_by_itself(review: Review, name: str) -> None:
    path, high = PAGES[name]
    review.page.open((review.night.record / path).as_uri())
    review.page.reads(*WORDS[name](review.night))
    review.keep(name, high)
