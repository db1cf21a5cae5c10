"""Of two live copies of a task the newer one goes on and the older one changes nothing."""

import threading

import pytest

from pipeline.errors import Superseded
from pipeline.warehouse import durable, fence
from pipeline.warehouse.failpoints import Step
from pipeline.warehouse.snapshot import history, log, pointer

RUN = "2020-01-02-night"


def copy_of(root, work, task="score", epoch=None):
    """A copy of a task in a thread that does its work when told; gives who tells it, and what came of it."""
    inside, go, ended = threading.Event(), threading.Event(), []

    def live():
        try:
            with fence.enter(root, RUN, task, epoch):
                inside.set()
                go.wait(30)
                work()
            ended.append("done")
        except Superseded as error:
            ended.append(str(error))
        finally:
            inside.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert inside.wait(30)

    def let_go():
        go.set()
        thread.join(30)
        return ended[0]

    return let_go


def write(house, text):
    return lambda: durable.put(house.root / "file", text, Step.NOTE)


def test_the_newer_copy_writes_and_the_older_one_cannot(house):
    older, newer = copy_of(house.root, write(house, "older")), copy_of(house.root, write(house, "newer"))
    assert newer() == "done"
    assert (
        older()
        == f"run {RUN}, score: a newer attempt of this task has started; nothing to do, it will finish the night"
    )
    assert (house.root / "file").read_text() == "newer"


@pytest.mark.parametrize(
    "change",
    [
        lambda house, path: durable.drop(path),
        lambda house, path: durable.replace_folder(house.root / "new", path, Step.PARTITION),
        lambda house, path: durable.move(house.root / "new", house.root / "moved", Step.MODEL),
        lambda house, path: house.stage(1),
    ],
)
def test_there_is_no_way_around_it(house, change):
    (house.root / "kept" / "deep").mkdir(parents=True)
    (house.root / "new").mkdir()
    house.stage(1, 5.0)
    before = sorted(house.root.glob("*"))
    older = copy_of(house.root, lambda: change(house, house.root / "kept"))
    assert copy_of(house.root, lambda: None)() == "done"
    assert "newer attempt" in older()
    assert {*before} <= {*house.root.glob("*")} and not (house.root / "moved").exists()
    assert list((house.root / "kept").iterdir())
    assert house.commit(house.stage(1, 5.0)).tables["prices"].rows == 3


def test_tasks_of_one_run_live_beside_each_other(house):
    one, two = copy_of(house.root, write(house, "1"), "score-a"), copy_of(house.root, write(house, "2"), "score-b")
    assert (one(), two()) == ("done", "done")


def test_a_run_begun_anew_ends_all_its_older_tasks(house):
    epoch = fence.begin(house.root, RUN)
    older = copy_of(house.root, write(house, "older"), epoch=epoch)
    assert fence.begin(house.root, RUN) == epoch + 1
    assert "newer attempt" in older()
    with pytest.raises(Superseded), fence.enter(house.root, RUN, "audit", epoch):
        pass
    with fence.enter(house.root, RUN, "audit") as token:
        assert (token.epoch, token.attempt) == (epoch + 1, 1)
    with fence.enter(house.root, "2020-01-02-other", "audit", 0):
        pass


def test_outside_of_a_task_nothing_is_fenced(house):
    with fence.enter(house.root, RUN, "audit"):
        pass
    fence.begin(house.root, RUN)
    write(house, "free")()


def test_of_two_copies_of_publish_one_moves_current(house):
    first = house.publish(1)
    staging = house.stage(2)
    older = copy_of(house.root, lambda: house.commit(staging, seen=first), "publish")
    newer = copy_of(house.root, lambda: house.commit(staging, seen=first), "publish")
    assert "newer attempt" in older()
    assert (pointer(house.root), len(history(house.root))) == (first, 1)
    assert newer() == "done"
    assert [move["to"] for move in log(house.root)] == [first, pointer(house.root)]


def test_a_run_is_live_while_a_process_of_it_is(house):
    assert not fence.is_live(house.root, RUN)
    with fence.alive(house.root, RUN), fence.enter(house.root, RUN, "audit"):
        assert fence.is_live(house.root, RUN)
    assert not fence.is_live(house.root, RUN)
