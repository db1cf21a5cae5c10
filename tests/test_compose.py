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
    airflow = {f"airflow-{part}" for part in ("init", "api-server", "scheduler", "dag-processor", "triggerer")}
    assert set(SERVICES) == airflow | {"postgres", "mlflow"}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name):
    service = SERVICES[name]
    assert service["user"] in ("10001:10001", "postgres")
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
        if re.search(r"PASSWORD$|SECRET|KEY$|CONN$", variable):
            assert re.search(r"\$\{[A-Z_]+:\?", str(value)), variable
    assert not re.search(r"\$\{[A-Z_]+(:?-|\})", TEXT.replace("$${", ""))


def test_image_runs_as_an_ordinary_user():
    users = re.findall(r"^USER (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert users[-1:] == ["10001:10001"]


def test_new_env_gives_every_variable_a_secret_of_its_own(tmp_path):
    (tmp_path / "docker-compose.yml").write_text(TEXT, encoding="utf-8")
    new_env.main(tmp_path)
    values = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text(encoding="utf-8").splitlines())
    assert set(values) == set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    assert len(set(values.values())) == len(values)
    assert {len(value) for value in values.values()} == {44}
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    with pytest.raises(SystemExit, match="exists"):
        new_env.main(tmp_path)
