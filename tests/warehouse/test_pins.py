"""Snapshots that stay under a name."""

import pytest

from pipeline.errors import NoData
from pipeline.warehouse.pins import pin, pins, unpin


def test_a_name_keeps_one_snapshot_at_a_time(house):
    first, second = house.publish(1), house.publish(2)
    assert pin(house.root, "sale", first) == first
    assert pin(house.root, "today") == second
    assert pins(house.root) == {"sale": first, "today": second}
    pin(house.root, "sale", second)
    assert unpin(house.root, "sale") == second
    assert pins(house.root) == {"today": second}


def test_what_is_not_there_cannot_be_pinned_nor_unpinned(house):
    with pytest.raises(NoData, match="nothing is published yet"):
        pin(house.root, "sale")
    house.publish(1)
    with pytest.raises(NoData, match="no snapshot 2020-01-07-0123456789ab"):
        pin(house.root, "sale", "2020-01-07-0123456789ab")
    with pytest.raises(NoData, match="'sale'; choose one of none yet"):
        unpin(house.root, "sale")
    assert pins(house.root) == {}
