"""What a person sees while a night runs."""

import io
from contextlib import suppress

import pytest
from rich.console import Console

from pipeline.cli import progress
from pipeline.cli.progress import NightProgress


@pytest.fixture
def seen(monkeypatch):
    """Everything drawn, as on a terminal or as in a log."""

    def _seen(terminal, error=None):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        monkeypatch.setattr(progress, "err", console)
        with suppress(RuntimeError), NightProgress() as display:
            display("ingest")
            display("score", "recommendations")
            display("score", "recommendations", 3, 10)
            if error:
                raise error
        return console.file.getvalue()

    return _seen


def test_a_terminal_shows_stage_item_and_inner_progress(seen):
    drawn = seen(terminal=True)
    assert "ingest" in drawn
    assert "score recommendations" in drawn
    assert "3/10" in drawn
    assert "failed" not in drawn


def test_a_log_gets_one_line_a_stage(seen):
    assert [line.rpartition(" in ")[0] for line in seen(terminal=False).splitlines()] == [
        "ingest: done",
        "score recommendations: done",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_stage_that_broke_is_shown_as_failed(seen, terminal):
    assert "failed" in seen(terminal, RuntimeError("broke"))
