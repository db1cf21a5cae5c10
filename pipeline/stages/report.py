"""Draw the night, write its page, and ship its record to MLflow."""

from typing import Any

from pipeline import tracking
from pipeline.record import JsonRecorder
from pipeline.reports import cards, marketing
from pipeline.reports import night as page
from pipeline.settings import Night
from pipeline.stages import desk


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Write report.html; MLflow gets the record now if it can be reached, else later by `shopkeel replay`."""
    path = page.render(night)
    marketing.render(night)
    cards.render(night)
    progress(1, 2)
    run_id = tracking.ship(night)
    recorder.tags({"mlflow/run": run_id or "unreachable"})
    progress(2, 2)
    return {"report": str(path), "mlflow_run": run_id}
