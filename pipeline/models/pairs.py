"""Pairs of a user and an item with a score, by the hundred for each user: found, scored, packed and listed.

Loops that would be a dozen passes of numpy, compiled when first called (no file of them is kept).
A key holds a score above an item, so that whole numbers sort by falling score, then by item.
Shapes: U users, R items, D width, K places.
"""

import numba
import numpy as np

WORD, LOW = 32, (1 << 32) - 1  # a key is a value above an item
LAST = np.iinfo(np.int64).max  # the key of no candidate, after all others
_MOST = np.int32(np.iinfo(np.int32).max)

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # row in the block, item, score


@numba.njit(nogil=True, fastmath={"contract", "reassoc"})
def coded(vectors: np.ndarray, order: np.ndarray, step: np.ndarray, width: int) -> Pairs:
    """Vectors in whole steps: int8 [N, width], zeros pad; lengths of what that took off and of them, float32 [N].

    Args:
        vectors: float32 [R, D].
        order: int64 [N] which of them.
        step: float32 [N] at least a 127th of a vector's largest number.
        width: at least D.
    """
    codes = np.zeros((len(order), width), np.int8)
    lost, length = np.empty(len(order), np.float32), np.empty(len(order), np.float32)
    for row in range(len(order)):
        vector, one = vectors[order[row]], step[row]
        off, whole = np.float32(0), np.float32(0)
        for at in range(len(vector)):
            code = np.rint(vector[at] / one)
            rest = vector[at] - code * one
            codes[row, at] = np.int8(code)
            off += rest * rest
            whole += vector[at] * vector[at]
        lost[row], length[row] = np.sqrt(off), np.sqrt(whole)
    return codes, lost, length


@numba.njit(nogil=True)
def reached(
    scores: np.ndarray, least: np.ndarray, unit: np.ndarray, unsure: np.ndarray, tile: int, order: np.ndarray
) -> Pairs:
    """What reaches its user's least score in a tile of items, with the most that the true score can be.

    Args:
        scores: int32 [V, R] in whole numbers, V at least U.
        least: int32 [U, T] by tile.
        unit: float64 [U, T] what a step of a score is worth.
        unsure: float64 [U, T] how far such a score may be off the true one.
        tile: which of the T it is.
        order: int64 [R] its items.
    """
    width, count, room = scores.shape[1], 0, scores.size
    flags = np.zeros(-(-width // 8) * 8, np.bool_)
    words = flags.view(np.uint64)  # most are empty, and are passed over eight at once
    # There is room for all; where nothing is written, it takes no memory.
    rows, items, most = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.float32)
    for row in range(len(unit)):
        step, off = unit[row, tile], unsure[row, tile]
        np.greater_equal(scores[row], least[row, tile], flags[:width])
        for word in range(len(words)):
            if words[word]:
                for at in range(8 * word, 8 * word + 8):
                    if flags[at]:
                        rows[count], items[count], most[count] = row, order[at], scores[row, at] * step + off
                        count += 1
    return rows[:count].copy(), items[:count].copy(), most[:count].copy()


@numba.njit(nogil=True)
def largest(scores: np.ndarray, rank: int) -> np.ndarray:
    """The rank-th largest of each row of int32 [U, S], rank at most S: int32 [U]."""
    found = np.empty(len(scores), np.int32)
    for row in range(len(scores)):
        best = np.sort(scores[row, :rank])
        for one in scores[row, rank:]:
            if one > best[0]:
                at = 1
                while at < rank and best[at] < one:
                    best[at - 1] = best[at]
                    at += 1
                best[at - 1] = one
        found[row] = best[0]
    return found


@numba.njit(nogil=True)
def settled(keys: np.ndarray, users: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Keys of true scores for those that can be among the best k: int64 [U, C], LAST pads, unsorted.

    The least true score of the first k bounds the true k-th from below; what cannot reach it is left out.

    Args:
        keys: int64 [U, C], sorted, by the most that a score can be.
        users: float32 [U, D].
        items: float32 [R, D].
        k: places.
    """
    true, most = np.full_like(keys, LAST), 0
    for row in range(len(keys)):
        bound = LAST - 1
        for at in range(keys.shape[1]):
            if at == k:
                bound = true[row, :k].max() | LOW
            if keys[row, at] > bound:
                break
            item = keys[row, at] & LOW
            true[row, at] = _falling(_product(users[row], items[item])) << WORD | item
            most = max(most, at + 1)
    return true[:, :most]


@numba.njit(nogil=True)
def exact(users: np.ndarray, items: np.ndarray, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Inner products of pairs of users float32 [U, D] and items float32 [R, D]: float32."""
    scores = np.empty(len(row), np.float32)
    for at in range(len(row)):
        scores[at] = _product(users[row[at]], items[item[at]])
    return scores


@numba.njit(nogil=True)
def packed(row: np.ndarray, item: np.ndarray, score: np.ndarray, rows: int) -> np.ndarray:
    """Pairs as keys by row: int64 [rows, most of a row], LAST pads, unsorted."""
    filled = np.zeros(rows, np.int64)
    for one in row:
        filled[one] += 1
    keys = np.full((rows, filled.max() if rows else 0), LAST)
    filled[:] = 0
    for at in range(len(row)):
        keys[row[at], filled[row[at]]] = _falling(score[at]) << WORD | item[at]
        filled[row[at]] += 1
    return keys


def listed(keys: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys as lists: items int64 [U, k], best first, ties by item, -1 pads; scores float32 [U, k], 0 pads."""
    keys = np.sort(keys, axis=1)[:, :k]
    keys = np.pad(keys, ((0, 0), (0, k - keys.shape[1])), constant_values=LAST)
    bits = (~(keys >> WORD)).astype(np.int32)
    scores = (bits ^ (bits >> 31 & _MOST)).view(np.float32)
    return np.where(keys == LAST, -1, keys & LOW), np.where(keys == LAST, np.float32(0), scores)


@numba.njit(nogil=True, fastmath={"contract", "reassoc"})
def _product(left: np.ndarray, right: np.ndarray) -> np.float32:
    """The inner product, summed in the order that is fastest."""
    score = np.float32(0)
    for at in range(len(left)):
        score += left[at] * right[at]
    return score


@numba.njit(nogil=True)
def _falling(score: np.float32) -> np.int64:
    """A float as a whole number of 32 bits that sorts the other way round."""
    bits = np.float32(score + np.float32(0)).view(np.int32)  # -0.0 is 0.0
    return np.int64(~(bits ^ (bits >> 31 & _MOST)))
