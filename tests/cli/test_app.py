"""What all commands share: help without heavy imports, and errors that end as one line and an exit code."""

import builtins
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from pipeline import errors
from pipeline.cli import app
from pipeline.cli.app import Commands, options, size, unknown

HEAVY = {"torch", "transformers", "pandas", "pyarrow", "duckdb", "ibis", "mlflow", "airflow", "great_expectations"}
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.fixture
def failing():
    """An application with the real handler, whose one command raises what it is told to."""
    probe = typer.Typer(cls=Commands)
    probe.callback()(options)

    @probe.command()
    def fail(name: str) -> None:
        raise (getattr(errors, name, None) or getattr(builtins, name))("here: broke\n  badly; mend it")

    return probe


@pytest.mark.parametrize("name", [n for n, e in vars(errors).items() if isinstance(e, type)])
def test_every_expected_error_ends_in_one_line_and_its_exit_code(failing, name):
    result = CliRunner().invoke(failing, ["fail", name])
    assert result.exit_code == getattr(errors, name).exit_code
    assert result.stderr == "error: here: broke badly; mend it\n"
    assert not result.stdout


@pytest.mark.parametrize("name", ["OSError", "MemoryError"])
def test_a_machine_that_gave_out_ends_in_one_line_too(failing, name):
    result = CliRunner().invoke(failing, ["fail", name])
    assert result.exit_code == errors.MACHINE not in {e.exit_code for e in vars(errors).values() if isinstance(e, type)}
    assert result.stderr.startswith("error: here: broke badly; mend it; free disk or memory and run again")
    assert result.stderr.count("\n") == 1


def test_debug_shows_the_traceback_too(failing):
    result = CliRunner().invoke(failing, ["--debug", "fail", "DataError"])
    assert result.exit_code == errors.DataError.exit_code
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("error: here: broke badly; mend it\n")


def test_exit_codes_tell_errors_apart():
    codes = [e.exit_code for e in vars(errors).values() if isinstance(e, type)]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"shopkeel {command}" in " ".join(result.stdout.split())


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, pipeline.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pipeline" in loaded
    assert not HEAVY & set(loaded)


def test_unknown_names_give_the_nearest_else_the_known():
    assert "did you mean user_profiles?" in str(unknown("table", "user_profile", ["user_profiles", "run_status"]))
    assert "choose one of a, b" in str(unknown("table", "zzz", ["b", "a"]))
    assert "and 8 more" in str(unknown("table", "zzz", [f"a{i}" for i in range(20)]))
    assert "(none yet)" in str(unknown("table", "zzz", []))


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e6, "2.0 MB"), (3.2e12, "3200.0 GB")]
)
def test_size_is_for_people(count, words):
    assert size(count) == words
