"""Land what arrived by the business day, and judge tonight's arrivals."""

from typing import Any

from pyarrow import dataset
from pyarrow.dataset import Dataset

from pipeline import gates
from pipeline.contracts.feeds import FEEDS, REASON_WORDS, Reason
from pipeline.errors import NoData
from pipeline.feeds import ingest, partitions
from pipeline.privacy import tombstones
from pipeline.privacy.keys import load_secret
from pipeline.record import JsonRecorder
from pipeline.settings import Night
from pipeline.shops.source import open_source
from pipeline.stages import desk
from pipeline.stages.gate import judge_frames, note_json


def run(night: Night, _item: str | None, recorder: JsonRecorder, progress: desk.Progress) -> dict[str, Any]:
    """Land all feeds, note the counts, and run the feeds' expectations on what is new since the last snapshot."""
    desk.begin(night)
    connection = desk.connect(night)
    shop = night.shop
    source = open_source(shop, connection)
    first, last = source.days()
    if not first <= night.day <= last:
        raise NoData(f"shop {shop.name}: nothing arrives on {night.day}; choose a day from {first} to {last}")
    secret = load_secret(night.home / "secrets")
    erased = tombstones.load(night.root / tombstones.FILE)
    drift: list[str] = []
    for done, feed in enumerate(FEEDS.values(), start=1):
        drift += ingest.land(
            connection,
            source,
            night.feeds,
            feed,
            night.day,
            first_day=shop.first_day,
            zone=shop.zone,
            secret=secret,
            origin=shop.name,
            priced=shop.priced,
            erased=erased,
        )
        progress(done, len(FEEDS))
    before = desk.parent(night)
    since = before.manifest.day if before else None
    counts = _note_counts(night, recorder, since)
    recorder.tags({f"drift/{number}": words for number, words in enumerate(drift)})
    if counts["events"]["night_arrived"] == 0:
        raise NoData(f"shop {shop.name}: no event arrived on {night.day}; wait for its arrivals or choose another day")
    frames = {f"feed_{name}": _new_rows(night, name, since) for name in FEEDS}
    present = {name: frame for name, frame in frames.items() if frame is not None}
    gates.require(judge_frames(present, recorder))
    return {"rows": {name: values["night_published"] for name, values in counts.items()}, "drift": drift}


def _new_rows(night: Night, feed: str, since: Any) -> Dataset | None:
    """What arrived since a day."""
    folders = partitions.days(night.feeds, feed, night.day, since)
    return dataset.dataset([str(folder / partitions.ROWS) for folder in folders]) if folders else None


def _note_counts(night: Night, recorder: JsonRecorder, since: Any) -> dict[str, dict[str, int]]:
    noted: dict[str, dict[str, int]] = {}
    quarantined: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for name in FEEDS:
        total = partitions.counts(night.feeds, name, night.day)
        tonight = partitions.counts(night.feeds, name, night.day, since)
        values = {key: total[key] for key in ("arrived", "published", "quarantined", "deduplicated")}
        values |= {f"night_{key}": tonight[key] for key in tuple(values)}
        noted[name] = values
        recorder.metrics({f"feed/{name}/{key}": value for key, value in values.items()})
        recorder.tags({f"dataset/{name}": partitions.digest(night.feeds, name, night.day)})
        for key, rows in sorted(total.items()):
            if key.startswith("reason/"):
                reason = Reason(key.removeprefix("reason/"))
                quarantined.append({"feed": name, "reason": str(reason), "words": REASON_WORDS[reason], "rows": rows})
        refused += [{"feed": name} | file for file in partitions.ledger(night.feeds, name).refused]
    recorder.metrics({"feed/files_refused": len(refused)})
    note_json(recorder, "quarantine", quarantined)
    note_json(recorder, "refused_files", refused)
    return noted
