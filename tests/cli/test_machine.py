"""Commands about the installation."""

from pipeline.cli import machine
from pipeline.cli.machine import Check
from pipeline.contracts.docs import PAGES


def test_shops_lists_the_built_in_shop(shopkeel):
    result = shopkeel("shops")
    assert result.exit_code == 0
    assert "grocer" in result.stdout
    assert "America/New_York" in result.stdout


def test_docs_writes_the_pages(shopkeel, tmp_path):
    assert shopkeel("docs", "--folder", tmp_path / "docs").exit_code == 0
    assert {path.name: path.read_text() for path in (tmp_path / "docs").iterdir()} == {n: p() for n, p in PAGES.items()}


def test_doctor_passes_when_all_is_well_and_says_what_it_saw(shopkeel, monkeypatch):
    monkeypatch.setattr(machine, "_checks", lambda night: [Check("python", True, "3.11.7"), Check("gpu", True, "none")])
    result = shopkeel("doctor")
    assert result.exit_code == 0
    assert result.stdout == "ok  python  3.11.7\nok  gpu     none\n"


def test_doctor_gives_the_remedy_and_fails(shopkeel, monkeypatch):
    monkeypatch.setattr(machine, "_checks", lambda night: [Check("disk", False, "1 B free", "free some")])
    result = shopkeel("doctor")
    assert result.exit_code == 2
    assert "bad disk  1 B free: free some" in result.stdout
    assert "1 of 1 checks failed" in result.stderr


def test_version_too_old_or_absent_is_bad():
    assert machine._version("typer", (0, 1)).ok
    assert not machine._version("typer", (999, 0)).ok
    missing = machine._version("no-such-distribution", (1, 0))
    assert (missing.ok, missing.found) == (False, "not installed")
    assert "1.0 or newer" in missing.remedy


def test_a_home_that_cannot_be_written_is_bad(tmp_path):
    (tmp_path / "file").write_text("in the way")
    checks = {check.name: check for check in machine._room(tmp_path / "file" / "home")}
    assert not checks["home"].ok
    assert "SHOPKEEL_HOME" in checks["home"].remedy
    assert {check.name for check in machine._room(tmp_path / "new")} == {"memory", "home", "state", "disk"}


def test_more_threads_than_the_machine_has_is_bad():
    assert not next(machine._compute(10**6)).ok
    assert next(machine._compute(1)).ok


def test_a_home_without_a_version_is_bad_until_it_is_upgraded(shopkeel, publish, home):
    publish("2017-11-30")
    (state,) = [check for check in machine._room(home) if check.name == "state"]
    assert (state.ok, state.found) == (False, "version 0 of 1")
    assert "shopkeel upgrade" in state.remedy
    assert "to version 1" in shopkeel("upgrade").stdout
    assert next(check for check in machine._room(home) if check.name == "state").ok
    assert "already at version 1" in shopkeel("upgrade").stdout


def test_a_newer_home_is_one_clear_line_for_every_command(shopkeel, publish, home):
    publish("2017-11-30")
    (home / "state.json").write_text('{"version": 99}')
    for words in (("status",), ("doctor",), ("upgrade",), ("run", "--date", "2017-12-01")):
        result = shopkeel(*words)
        assert result.exit_code == 2
        assert "version 99" in result.stderr and "install the newer shopkeel" in result.stderr
