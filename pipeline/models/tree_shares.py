"""What each feature adds to the score of gradient-boosted trees: exact Shapley values of many rows, fast.

A tree knows a row only by the splits that it passes. Rows that pass the same ones have the same shares in it, so these
are worked out once and remembered: most rows that a night asks about are alike in most trees. What a leaf adds hangs on
which features of its path a row goes along with; of short paths all ways to do so are worked out beforehand.
A feature that is left out is averaged over by how much of the training data went either way (Lundberg et al. 2018), so
a leaf's value is a product over the features of its path. The Shapley value is what a feature's coming adds, on average
over t in [0, 1], where every other feature is there with chance t (Owen 1972); in t that is a polynomial, whose mean a
few nodes of Gauss and Legendre give exactly. Not here: which trees there are, and what is said of the values.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import lightgbm
import numba
import numpy as np

SPLITS = 62  # of a tree at most: what a row passes is a whole number
PLACES, SPREAD = 12, np.uint64(0x9E3779B97F4A7C15)  # bits of a place; 2^64 over the golden ratio (Knuth 1973)
NODES = 4  # at once, enough for most paths: loops of a known length are unrolled
AT_ONCE = 8192  # rows whose features stay near while all trees pass over them
WAYS = 64  # to pass a tree, worked out at once
SHORT = 11  # features of a path for whose 2^11 ways there is a table

Step = tuple[int, int, bool, float]  # of a path: split, its feature, whether it goes left, share of the data that does
Path = tuple[float, tuple[Step, ...]]  # value of a leaf, and the way there


class Trees(NamedTuple):
    """Trees as arrays, each one's part behind that of the one before.

    Shapes: T trees, S splits, L leaves, E features of paths, K features of trees; B times NODES nodes.

    Attributes:
        splits, leaves, knows: int [T + 1] where each tree's splits, leaves and features begin.
        feature: int [S] of a split.
        most: float32 [S] up to which a row passes it.
        passes_unknown: bool [S] a row passes it without a value.
        value: float64 [B, L, NODES] of a leaf, times the weights of the nodes.
        path: int [L + 1] where the features of each leaf's path begin.
        blocks: int [L] of nodes that make a leaf's sums exact.
        asked: int [E] place of a feature among its tree's.
        asks, passed: int64 [E] by bits, the splits on that feature, and which of them have to be passed.
        factor: float64 [B, E, 2, NODES] of the leaf's value by nodes, for rows that stray there, and for others.
        adds: float64 [B, E, 2, NODES] what its coming adds, as a share of that product.
        features: int [K] the tree's features.
    """

    splits: np.ndarray
    leaves: np.ndarray
    knows: np.ndarray
    feature: np.ndarray
    most: np.ndarray
    passes_unknown: np.ndarray
    value: np.ndarray
    path: np.ndarray
    blocks: np.ndarray
    asked: np.ndarray
    asks: np.ndarray
    passed: np.ndarray
    factor: np.ndarray
    adds: np.ndarray
    features: np.ndarray

    @classmethod
    def of(cls, model: lightgbm.Booster) -> "Trees":
        """A model's.

        Raises:
            ValueError: a tree has more splits than SPLITS, or one that asks for anything but a number's size.
        """
        roots = [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
        splits = [splits_of(root) for root in roots]
        paths = [list(paths_of(root)) for root in roots]
        if wrong := [one for tree in splits for one in tree if one["decision_type"] != "<="]:
            raise ValueError(f"split by {wrong[0]['decision_type']}: only sizes of numbers are explained")
        if max(map(len, splits), default=0) > SPLITS:
            raise ValueError(f"a tree of {max(map(len, splits))} splits: {SPLITS} at most are explained")
        features = [sorted({one["split_feature"] for one in tree}) for tree in splits]
        merged = [[_merged(steps) for _value, steps in tree] for tree in paths]
        sizes = [len(one) for tree in merged for one in tree]
        rules = {size: _nodes(size) for size in {0, *sizes}}
        blocks = np.array([len(rules[size][0]) for size in sizes], np.int64)
        node, weight = (_leveled([rules[size][at] for size in sizes], int(blocks.max(initial=1))) for at in (0, 1))
        node = np.repeat(node, sizes, axis=1)[:, :, None, :]  # a leaf's are those of every feature of its path
        asked = [
            names.index(one) for names, tree in zip(features, merged, strict=True) for path in tree for one in path
        ]
        rows = [one for tree in merged for path in tree for one in path.values()]
        share = np.array([one[2] for one in rows]).reshape(-1, 1, 1)
        there = np.array([0.0, 1.0]).reshape(1, 2, 1)
        factor = node * there + (1 - node) * share
        flat = [one for tree in splits for one in tree]
        return cls(
            splits=starts_of(splits),
            leaves=starts_of(paths),
            knows=starts_of(features),
            feature=np.array([one["split_feature"] for one in flat], np.int64),
            most=rounded_down(np.array([one["threshold"] for one in flat], np.float64)),
            passes_unknown=np.array([takes_unknown(one) for one in flat], bool),
            value=np.array([value for tree in paths for value, _steps in tree])[:, None] * weight,
            path=starts_of([path for tree in merged for path in tree]),
            blocks=blocks,
            asked=np.array(asked, np.int64),
            asks=np.array([one[0] | one[1] for one in rows], np.int64),
            passed=np.array([one[0] for one in rows], np.int64),
            factor=factor,
            adds=(there - share) / factor,
            features=np.array([one for tree in features for one in tree], np.int64),
        )


class Told(NamedTuple):
    """What leaves of short paths add, by which features of the path a row goes along with.

    Attributes:
        begins: int [L] where a leaf's table of 2^K ways by K features begins; -1 for long paths.
        adds: float64 of all tables.
    """

    begins: np.ndarray
    adds: np.ndarray

    @classmethod
    def by(cls, trees: Trees) -> "Told":
        """Work them out."""
        features = np.diff(trees.path)
        sizes = np.where(features <= SHORT, features << np.minimum(features, SHORT), 0)
        told = cls(np.where(sizes, np.cumsum(sizes) - sizes, -1), np.zeros(sizes.sum()))
        _work_out(trees, told)
        return told


class Known(NamedTuple):
    """What one thread has worked out: of each tree, the ways to pass it, each at the place that its bits fall on.

    Attributes:
        ways: int64 [T, 2^PLACES], -1 where none is known.
        shares: float64 of those ways, tree after tree, place after place.
        turn: int64 [2^PLACES] when a place was last asked for.
    """

    ways: np.ndarray
    shares: np.ndarray
    turn: np.ndarray

    @classmethod
    def nothing(cls, trees: Trees) -> "Known":
        """Nothing yet."""
        places = 1 << PLACES
        ways = np.full((len(trees.knows) - 1, places), -1)
        return cls(ways, np.empty(len(trees.features) << PLACES), np.zeros(places, np.int64))


class TreeShares:
    """A model's features and what they add to its scores; each of some threads remembers what it has worked out."""

    def __init__(self, model: lightgbm.Booster, threads: int) -> None:
        """Read the model's trees."""
        self.columns = [str(name) for name in model.feature_name()]
        self._trees = Trees.of(model)
        self._told = Told.by(self._trees)
        self._known = [Known.nothing(self._trees) for _thread in range(threads)]

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """Each feature's share of the score, float64 [N, F], of rows float32 [N, F]."""
        found = np.zeros(features.shape)
        bounds = np.linspace(0, len(features), len(self._known) + 1).astype(int)
        with ThreadPoolExecutor(len(self._known)) as pool:
            list(pool.map(self._find, self._known, *(np.split(one, bounds[1:-1]) for one in (features, found))))
        return found

    def _find(self, known: Known, features: np.ndarray, found: np.ndarray) -> None:
        for start in range(0, len(features), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            _add(np.ascontiguousarray(features[rows].T), self._trees, self._told, known, found[rows])


@numba.njit(nogil=True)
def _add(columns: np.ndarray, trees: Trees, told: Told, known: Known, found: np.ndarray) -> None:
    """Add what all trees say of rows float32 [F, N] to what is found float64 [N, F].

    Of two ways at one place one waits for its turn: then the other has been added wherever it was asked for.
    """
    count, turn = columns.shape[1], known.turn.max()
    way, waits, new = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    rows, places = np.empty(count, np.int64), np.empty(count, np.int64)
    for tree in range(len(trees.splits) - 1):
        _passed(columns, trees, tree, way)
        first, size, left = trees.knows[tree], trees.knows[tree + 1] - trees.knows[tree], count
        for row in range(count):
            waits[row] = row
        while left:
            turn, here, later, asked = turn + 1, 0, 0, 0
            for row in waits[:left]:
                place = np.int64((np.uint64(way[row]) * SPREAD) >> np.uint64(64 - PLACES))
                if known.turn[place] == turn and known.ways[tree, place] != way[row]:
                    waits[later], later = row, later + 1
                    continue
                if known.ways[tree, place] != way[row]:
                    known.ways[tree, place], new[asked], asked = way[row], place, asked + 1
                known.turn[place], rows[here], places[here], here = turn, row, place, here + 1
            _work_out_ways(trees, told, tree, known, new[:asked])
            for one in range(here):
                start = (first << PLACES) + places[one] * size
                for at in range(size):
                    found[rows[one], trees.features[first + at]] += known.shares[start + at]
            left = later


@numba.njit(nogil=True)
def _passed(columns: np.ndarray, trees: Trees, tree: int, way: np.ndarray) -> None:
    """Which splits of a tree each row passes: bits of int64 [N]."""
    for row in range(len(way)):
        way[row] = 0
    for split in range(trees.splits[tree], trees.splits[tree + 1]):
        column, most, bit = columns[trees.feature[split]], trees.most[split], split - trees.splits[tree]
        unknown = trees.passes_unknown[split]
        for row in range(len(way)):
            passes = (column[row] <= most) | (np.isnan(column[row]) & unknown)
            way[row] |= np.int64(passes) << bit


@numba.njit(nogil=True)
def _work_out_ways(trees: Trees, told: Told, tree: int, known: Known, places: np.ndarray) -> None:
    """The features' shares in one tree of the ways at some places: leaf after leaf, several ways at once."""
    first, size = trees.knows[tree], trees.knows[tree + 1] - trees.knows[tree]
    own, there, way = np.empty((size, WAYS)), np.empty(WAYS, np.int64), np.empty(WAYS, np.int64)
    product, adds = np.empty(NODES), np.empty(SPLITS)
    for start in range(0, len(places), WAYS):
        some = places[start : start + WAYS]
        for one in range(len(some)):
            way[one] = known.ways[tree, some[one]]
        own[:] = 0.0
        for leaf in range(trees.leaves[tree], trees.leaves[tree + 1]):
            _along(trees, leaf, way, there)
            if told.begins[leaf] >= 0:
                _look_up(trees, told, leaf, there[: len(some)], own)
                continue
            for one in range(len(some)):
                _added(trees, leaf, there[one], product, adds)
                for step in range(trees.path[leaf + 1] - trees.path[leaf]):
                    own[trees.asked[trees.path[leaf] + step], one] += adds[step]
        for one in range(len(some)):
            end = (first << PLACES) + some[one] * size
            for at in range(size):
                known.shares[end + at] = own[at, one]


@numba.njit(nogil=True)
def _along(trees: Trees, leaf: int, way: np.ndarray, there: np.ndarray) -> None:
    """Which features of a leaf's path rows of each way go along with: bits of int64 [WAYS]."""
    for one in range(WAYS):
        there[one] = 0
    first = trees.path[leaf]
    for step in range(trees.path[leaf + 1] - first):
        asks, passed = trees.asks[first + step], trees.passed[first + step]
        for one in range(WAYS):
            there[one] |= np.int64((way[one] & asks) == passed) << step


@numba.njit(nogil=True)
def _look_up(trees: Trees, told: Told, leaf: int, there: np.ndarray, own: np.ndarray) -> None:
    """Add what a leaf's table says to shares [K, WAYS]."""
    first, table = trees.path[leaf], told.begins[leaf]
    steps = trees.path[leaf + 1] - first
    for step in range(steps):
        feature = trees.asked[first + step]
        for one in range(len(there)):
            own[feature, one] += told.adds[table + there[one] * steps + step]


@numba.njit(nogil=True)
def _work_out(trees: Trees, told: Told) -> None:
    """Fill the tables."""
    product = np.empty(NODES)
    for leaf in range(len(told.begins)):
        count = trees.path[leaf + 1] - trees.path[leaf]
        if told.begins[leaf] >= 0:
            for there in range(1 << count):
                begin = told.begins[leaf] + there * count
                _added(trees, leaf, there, product, told.adds[begin : begin + count])


@numba.njit(nogil=True, fastmath={"contract", "reassoc"})
def _added(trees: Trees, leaf: int, there: int | np.int64, product: np.ndarray, own: np.ndarray) -> None:
    """What a leaf adds to each feature of its path, for rows that go along with some of them (bits)."""
    first, count = trees.path[leaf], trees.path[leaf + 1] - trees.path[leaf]
    for one in range(count):
        own[one] = 0.0
    for block in range(trees.blocks[leaf]):
        for node in range(NODES):
            product[node] = trees.value[block, leaf, node]
        for one in range(count):
            goes = (there >> one) & 1
            for node in range(NODES):
                product[node] *= trees.factor[block, first + one, goes, node]
        for one in range(count):
            total, goes = 0.0, (there >> one) & 1
            for node in range(NODES):
                total += product[node] * trees.adds[block, first + one, goes, node]
            own[one] += total


def _nodes(features: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in [0, 1] and their weights [B, NODES] that are exact for paths of so many features; weights of 0 pad."""
    count = max(-(-features // 2), 1)
    node, weight = np.polynomial.legendre.leggauss(count)
    more = -count % NODES
    return np.pad((node + 1) / 2, (0, more)).reshape(-1, NODES), np.pad(weight / 2, (0, more)).reshape(-1, NODES)


def _leveled(rows: list[np.ndarray], blocks: int) -> np.ndarray:
    """Nodes or weights of each leaf, zeros behind those of fewer blocks: [B, L, NODES]."""
    out = np.zeros((blocks, len(rows), NODES))
    for leaf, row in enumerate(rows):
        out[: len(row), leaf] = row
    return out


def splits_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A tree's splits by number."""
    found, left = [], [node]
    while left:
        one = left.pop()
        if "split_index" in one:
            found.append(one)
            left += [one["left_child"], one["right_child"]]
    return sorted(found, key=lambda one: int(one["split_index"]))


def paths_of(node: Mapping[str, Any], steps: tuple[Step, ...] = ()) -> Iterator[Path]:
    """A tree's leaves, with the way to each."""
    if "split_index" not in node:
        yield float(node["leaf_value"]), steps
        return
    whole = node["internal_count"]
    for side in ("left_child", "right_child"):
        child = node[side]
        share = child.get("internal_count", child.get("leaf_count")) / whole
        step = (int(node["split_index"]), int(node["split_feature"]), side == "left_child", share)
        yield from paths_of(child, (*steps, step))


def _merged(steps: tuple[Step, ...]) -> dict[int, tuple[int, int, float]]:
    """Of each feature of a path: splits to pass and not to pass, as bits, and the share of the data that does so."""
    found: dict[int, tuple[int, int, float]] = {}
    for split, feature, goes_left, share in steps:
        passed, failed, known = found.get(feature, (0, 0, 1.0))
        bit = 1 << split
        found[feature] = (passed | bit * goes_left, failed | bit * (not goes_left), known * share)
    return found


def takes_unknown(split: Mapping[str, Any]) -> bool:
    """Whether a row without a value passes: where training saw none, it counts as 0."""
    return bool(split["default_left"] if split["missing_type"] == "NaN" else split["threshold"] >= 0)


def rounded_down(values: np.ndarray) -> np.ndarray:
    """The largest float32 not above each value: a float32 is at most the one when it is at most the other."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def starts_of(parts: Any) -> np.ndarray:
    """Where each part begins in all of them one after another: int [P + 1]."""
    return np.r_[0, np.cumsum([len(one) for one in parts])].astype(np.int64)
