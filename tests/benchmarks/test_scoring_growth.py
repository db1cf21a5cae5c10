"""How scoring grows: the baskets are the shop's, and a pass is as many blocks as the shop has users for."""

import numpy as np

from benchmarks import shop_at_scale
from benchmarks.scoring_growth import baskets_of, measure
from benchmarks.shop_at_scale import Size


def test_a_pass_is_its_blocks() -> None:
    shape, size = shop_at_scale.grocer(), Size(4_000, 512, 100)
    baskets = baskets_of(size, shape)
    assert len(baskets.item) == 4_000 and baskets.shape == (512, 100)
    assert (np.diff(baskets.owner) >= 0).all() and len(np.unique(baskets.basket * 100 + baskets.item)) == 4_000
    found = measure(size, shape)
    assert found["pass_cpu_seconds"] == 2 * found["block_cpu_seconds"] > 0
