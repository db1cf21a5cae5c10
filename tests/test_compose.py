"""docker-compose.yml: valid by the Compose specification's own schema, and without the usual holes.

compose-spec.json is the specification's schema, Apache-2.0, Compose Specification contributors.
"""

import copy
import json
import re
import stat
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft201909Validator

from ops import new_env
from pipeline import airflow_defaults, alerts

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
SCHEMA = Draft201909Validator(json.loads((ROOT / "tests/compose-spec.json").read_text(encoding="utf-8")))


def problems(compose):
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in SCHEMA.iter_errors(compose)]


def test_valid_by_the_specification():
    assert problems(COMPOSE) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("ports", {"8080": "8080"}), ("helthcheck", {}), ("depends_on", {"postgres": {"condition": "up"}})],
)
def test_the_schema_refuses_mistakes(key, value):
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["mlflow"][key] = value
    assert problems(broken)


def test_the_whole_platform_is_there():
    parts = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "worker-gpu", "worker-training")
    assert set(SERVICES) == {f"airflow-{part}" for part in parts} | {
        "postgres", "redis", "mlflow", "object-store", "spark",
    }  # fmt: skip


def queues(name):
    command = SERVICES[name]["command"]
    return command[command.index("--queues") + 1]


def test_training_has_its_own_queue_and_one_profile_of_workers_for_each_kind_of_machine():
    gpu = SERVICES["airflow-worker-gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert [queues(f"airflow-worker{kind}") for kind in ("", "-gpu", "-training")] == ["default", "gpu", "gpu"]
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"airflow-worker-gpu": ["gpu"], "airflow-worker-training": ["cpu"], "spark": ["spark"]}
    assert airflow_defaults.GPU["queue"] == "gpu"


def test_tasks_run_by_celery_and_may_take_as_long_as_the_broker_waits():
    environment = SERVICES["airflow-scheduler"]["environment"]
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    waits = int(environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    assert airflow_defaults.DEFAULT_ARGS["execution_timeout"].total_seconds() < waits


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_ours_or_pinned(name):
    image = SERVICES[name]["image"]
    assert image.startswith("shopkeel") or re.search(r":\d+\.\d+(\.\d+)?-", image)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name):
    service = SERVICES[name]
    assert service["user"] in ("10001:10001", "postgres", "redis")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert not service.get("privileged")


@pytest.mark.parametrize("name", LASTING)
def test_lasting_service_is_watched(name):
    assert {"test", "interval", "timeout", "retries"} <= set(LASTING[name]["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_only_for_what_can_come(name):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_has_a_value_in_the_file(name):
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD$|SECRET|KEY$|CONN$|AUTH$|TOKEN$|BROKER_URL$|RESULT_BACKEND$|STORE_URI$", variable):
            assert re.search(r"\$\{[A-Z_]+:\?", str(value)), variable
    assert not re.search(r"\$\{[A-Z_]+(:?-|\})", TEXT.replace("$${", ""))


def test_alerts_of_every_kind_reach_whoever_the_environment_names():
    for name in ("airflow-worker", "airflow-worker-gpu", "airflow-triggerer", "airflow-dag-processor"):
        environment = SERVICES[name]["environment"]
        assert {environment[variable] for variable in (alerts.WEBHOOK, alerts.EMAIL, alerts.SMTP)} == {None}


def test_the_database_is_ready_only_when_it_listens_to_others():
    assert "--host=127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def test_image_runs_as_an_ordinary_user():
    stages = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[1:]
    for stage in stages:
        first, *_, last = [line for line in stage.splitlines() if line and not line.startswith("#")]
        if first.split()[-1] not in ("build", "build-spark", "base"):
            assert last == "USER 10001:10001", stage
    assert len(stages) == 5
    assert stages[-1].startswith("base AS shopkeel\n"), "what compose builds stands last"


def test_image_begins_at_exact_versions_and_copies_no_secret():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for origin in re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE):
        assert origin in ("build", "base") or re.search(r":\d+\.\d+\.\d+-", origin), origin
    assert not re.search(r"^COPY (\.|\.env|var)\b", text, flags=re.MULTILINE)


def test_new_env_gives_every_variable_a_secret_of_its_own(tmp_path):
    (tmp_path / "docker-compose.yml").write_text(TEXT, encoding="utf-8")
    new_env.main(tmp_path)
    values = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text(encoding="utf-8").splitlines())
    assert values.pop("COMPOSE_PROFILES") in ("cpu", "gpu")
    assert set(values) == set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    assert len(set(values.values())) == len(values)
    assert {len(value) for value in values.values()} == {44}
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    with pytest.raises(SystemExit, match="exists"):
        new_env.main(tmp_path)
