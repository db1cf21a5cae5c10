"""What a person sees while a night runs: the stages done with their time, and the one at work with its clock."""

from time import perf_counter
from types import TracebackType
from typing import Self

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from pipeline.cli.app import err


class NightProgress:
    """Receives a night's progress and draws it on stderr; plain lines where stderr is no terminal.

    A night calls `progress(stage, item)` when a stage begins; the next begin, or the end, closes the one before.
    Inside a stage `progress(stage, item, done, total)` moves its own bar.
    """

    def __init__(self) -> None:
        """Prepare the display; it appears on entering."""
        words = (TextColumn("{task.description}"), TextColumn("{task.fields[inner]}"))
        columns = (SpinnerColumn(finished_text="done"), *words, TimeElapsedColumn())
        self._display = Progress(*columns, console=err, disable=not err.is_terminal)
        self._label, self._task, self._began = "", TaskID(0), 0.0

    def __call__(self, stage: str, item: str | None = None, done: int | None = None, total: int | None = None) -> None:
        """Note that a stage begins, or how far it is."""
        label = f"{stage} {item}" if item else stage
        if label != self._label:
            self._close("done")
            self._label, self._began = label, perf_counter()
            self._task = self._display.add_task(label, total=1, inner="")
        if done is not None:
            self._display.update(self._task, inner=f"{done}/{total}" if total else f"{done}")

    def __enter__(self) -> Self:
        """Show the display."""
        self._display.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        """Close the stage at work, as failed when an error ends the night, and leave the display in place."""
        self._close("done" if kind is None else "failed")
        self._display.stop()

    def _close(self, how: str) -> None:
        if not self._label:
            return
        if how == "done":
            self._display.update(self._task, completed=1)
        else:
            self._display.update(self._task, inner=how)
            self._display.stop_task(self._task)
        if not err.is_terminal:
            err.print(f"{self._label}: {how} in {perf_counter() - self._began:.1f} s", soft_wrap=True)
        self._label = ""
