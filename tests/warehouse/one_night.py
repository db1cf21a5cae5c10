"""One night in a process of its own: stage two tables, note the model, commit, sweep, pin. Says how it ended.

Words: root, day, price, run, and optionally a file to wait for between staging and commit.
"""

import sys
import time
from pathlib import Path

from conftest import House

from pipeline.errors import Superseded
from pipeline.warehouse import fence
from pipeline.warehouse.janitor import sweep
from pipeline.warehouse.pins import pin
from pipeline.warehouse.snapshot import newest_before, pointer


def main(root: str, day: str, price: str, run: str, gate: str | None = None) -> None:
    house = House(Path(root))
    named = f"{house.day(int(day))}-{run}"
    epoch = fence.begin(house.root, named)
    try:
        with fence.enter(house.root, named, "night", epoch):
            seen = pointer(house.root)
            staging = house.stage(int(day), float(price), run)
            staging.note_models({"ranker": "v1"})
            if gate:
                (house.root / f"ready-{run}").touch()
                while not Path(gate).exists():
                    time.sleep(0.005)
            earlier = newest_before(house.root, staging.day)
            house.commit(staging, seen=seen, parent=earlier and earlier.id, models=staging.models())
    except Superseded:
        print("superseded")
        return
    if not gate:
        pin(house.root, "last")
        sweep(house.root, keep=1)
    print("committed")


main(*sys.argv[1:])
