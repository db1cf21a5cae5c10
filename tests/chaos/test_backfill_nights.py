"""A range of whole nights by `shopkeel backfill`: each has its snapshot, and CURRENT stands at the newest."""

from datetime import timedelta

import pytest
import yaml

from pipeline.settings import Night, load_shop
from pipeline.warehouse.snapshot import log, open_snapshot, verify
from tests.chaos import corner
from tests.chaos.conftest import counts
from tests.chaos.processes import begin, end, helper

pytestmark = pytest.mark.slow


def test_every_night_of_a_range_has_its_snapshot_and_current_is_the_newest(tmp_path, tiny_bert, matrix):
    count = counts(2, 30)
    days = [corner.EVENING - timedelta(back) for back in reversed(range(count))]
    path = corner.shop(tmp_path, tiny_bert)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"keep_snapshots": count}))
    environment = {corner.KEY: "5a" * 32, "SHOPKEEL_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": ""}
    words = ["backfill", "--shop", str(path), "--from", str(days[0]), "--to", str(days[-1])]
    given = (tmp_path / "log", environment, corner.cut(tmp_path), words, None)
    code = end(begin(helper().Process(target=corner.run_night, args=given)))
    assert code == 0, (tmp_path / "log").read_text()[-2000:]

    root = Night(load_shop(str(path)), days[0], tmp_path / "home").warehouse
    standing = [open_snapshot(root, folder.name) for folder in sorted((root / "snapshots").iterdir())]
    whole = [one.manifest.day for one in standing if not verify(one)]
    matrix.row("backfill of nights in a row", count, len(whole), "CURRENT at the newest")
    assert whole == days
    assert corner.readable(root).manifest.day == days[-1]
    assert [one.manifest.parent for one in standing] == [None, *(one.id for one in standing[:-1])]
    assert [move["to"] for move in log(root)] == [one.id for one in standing]
