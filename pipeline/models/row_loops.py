"""Rows of scores entry by entry: the best of each, what stands at places, what is struck out, sums of other rows.

Loops that numpy and scipy pass over a dozen times or hold the interpreter for, compiled when first called (no file of
them is kept). Rows are of a CSR matrix: where each begins, columns in any order, entries. Not here: what rows stand for
(`scoring`, `next_baskets`). Shapes: B rows, I columns, E entries, N places, C users of a crowd.
"""

import numba
import numpy as np

FEW = 8  # sums of fewer entries than this part of the columns are gathered by the columns they fall on
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # int [B + 1], int [E], float32 [E]
Places = tuple[np.ndarray, np.ndarray, np.ndarray]  # row, column and rank (1 is best), int64 [N]


@numba.njit(nogil=True)
def best(starts: np.ndarray, columns: np.ndarray, entries: np.ndarray, count: int) -> Places:
    """Each row's largest positive entries, `count` at most, ties by column; by row, then rank."""
    rows = len(starts) - 1
    room = 0
    for row in range(rows):
        room += min(count, starts[row + 1] - starts[row])
    found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    value, column = np.empty(count), np.empty(count, np.int64)
    done = 0
    for row in range(rows):
        first, end = starts[row], starts[row + 1]
        held = _head(columns[first:end], entries[first:end], 0.0, value, column)
        _write(row, held, value, column, found, done)
        done += held
    return found[0][:done], found[1][:done], found[2][:done]


@numba.njit(nogil=True)
def best_of_whole(scores: np.ndarray, count: int, floor: float = 0.0) -> Places:
    """The same of rows [B, I] that have an entry in every column, of entries above a floor."""
    rows, width = scores.shape
    every = np.arange(width, dtype=np.int32)
    room = rows * min(count, width)
    found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    value, column = np.empty(count), np.empty(count, np.int64)
    done = 0
    for row in range(rows):
        held = _head(every, scores[row], floor, value, column)
        _write(row, held, value, column, found, done)
        done += held
    return found[0][:done], found[1][:done], found[2][:done]


@numba.njit(nogil=True)
def strongest(rows: Rows, count: int) -> Rows:
    """Each row's largest positive entries, `count` at most, ties by column; in no order."""
    starts, columns, entries = rows
    ends = np.zeros(len(starts), np.int64)
    found, kept = np.empty(len(columns), columns.dtype), np.empty(len(columns), entries.dtype)
    value, column, done = np.empty(count), np.empty(count, np.int64), 0
    for row in range(len(starts) - 1):
        held = _head(columns[starts[row] : starts[row + 1]], entries[starts[row] : starts[row + 1]], 0.0, value, column)
        for at in range(held):
            found[done], kept[done] = column[at], value[at]
            done += 1
        ends[row + 1] = done
    return ends, found[:done].copy(), kept[:done].copy()


@numba.njit(nogil=True)
def best_over(rows: Rows, ground: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Columns of each row's best entries, ties by column, where what is everybody's stands in columns it lacks.

    Args:
        rows: of B rows, entries float64.
        ground: float64 [I] what stands where a row has no entry.
        known: int [K] columns of the best of that.

    Returns:
        int64 [B, K], best first.
    """
    starts, own, entries = rows
    count, widest = len(known), 0
    for row in range(len(starts) - 1):
        widest = max(widest, starts[row + 1] - starts[row])
    found = np.empty((len(starts) - 1, count), np.int64)
    columns, values = np.empty(widest + count, np.int64), np.empty(widest + count)
    value, column, seen = np.empty(count), np.empty(count, np.int64), np.zeros(len(ground), np.bool_)
    for row in range(len(starts) - 1):
        held = 0
        for one in range(starts[row], starts[row + 1]):
            columns[held], values[held], seen[own[one]] = own[one], entries[one], True
            held += 1
        for one in known:
            if not seen[one]:
                columns[held], values[held] = one, ground[one]
                held += 1
        _head(columns[:held], values[:held], -np.inf, value, column)
        for rank in range(count, 0, -1):
            found[row, rank - 1] = column[0]
            _sink(value, column, rank - 1, value[rank - 1], column[rank - 1])
        for one in range(starts[row], starts[row + 1]):
            seen[own[one]] = False
    return found


@numba.njit(nogil=True)
def _head(columns: np.ndarray, entries: np.ndarray, floor: float, value: np.ndarray, column: np.ndarray) -> int:
    """The best of a row above a floor into a heap whose root is the worst of them; how many they are."""
    held, room, least = 0, len(value), floor
    for at in range(len(entries)):
        one, where = np.float64(entries[at]), np.int64(columns[at])  # of one kind, so that one heap is compiled
        if one < least or one <= floor:
            continue
        if held < room:
            _rise(value, column, held, one, where)
            held += 1
            if held == room:
                least = value[0]
        elif one > least or where < column[0]:
            _sink(value, column, held, one, where)
            least = value[0]
    return held


@numba.njit(nogil=True)
def _worse(value: np.ndarray, column: np.ndarray, one: int, other: int) -> bool:
    return bool(value[one] < value[other] or (value[one] == value[other] and column[one] > column[other]))


@numba.njit(nogil=True)
def _rise(value: np.ndarray, column: np.ndarray, at: int, one: float, where: np.int64) -> None:
    """Put an entry at the end of a heap, and up to where it belongs."""
    value[at], column[at] = one, where
    while at:
        above = (at - 1) // 2
        if not _worse(value, column, at, above):
            break
        value[at], value[above] = value[above], value[at]
        column[at], column[above] = column[above], column[at]
        at = above


@numba.njit(nogil=True)
def _sink(value: np.ndarray, column: np.ndarray, held: int, one: float, where: np.int64) -> None:
    """Put an entry at the root of a heap instead of what is there, and down to where it belongs."""
    at = 0
    value[0], column[0] = one, where
    while 2 * at + 1 < held:
        below = 2 * at + 1
        if below + 1 < held and _worse(value, column, below + 1, below):
            below += 1
        if not _worse(value, column, below, at):
            break
        value[at], value[below] = value[below], value[at]
        column[at], column[below] = column[below], column[at]
        at = below


@numba.njit(nogil=True)
def _write(row: int, held: int, value: np.ndarray, column: np.ndarray, found: Places, done: int) -> None:
    """Take a heap apart from the worst, which comes last."""
    for rank in range(held, 0, -1):
        at = done + rank - 1
        found[0][at], found[1][at], found[2][at] = row, column[0], rank
        _sink(value, column, rank - 1, value[rank - 1], column[rank - 1])


@numba.njit(nogil=True)
def at_places(rows: Rows, width: int, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """What stands at places [N], whose rows ascend: entries [N], 0 where there is none."""
    starts, columns, entries = rows
    line, found, at = np.zeros(width, entries.dtype), np.zeros(len(row), entries.dtype), 0
    while at < len(row):
        first, end = starts[row[at]], starts[row[at] + 1]
        for one in range(first, end):
            line[columns[one]] = entries[one]
        mine = row[at]
        while at < len(row) and row[at] == mine:
            found[at] = line[column[at]]
            at += 1
        for one in range(first, end):
            line[columns[one]] = 0
    return found


@numba.njit(nogil=True)
def strike(rows: Rows, width: int, starts: np.ndarray, columns: np.ndarray) -> None:
    """Make entries 0 in columns that the same row of another matrix has."""
    struck = np.zeros(width, np.bool_)
    for row in range(len(starts) - 1):
        for one in range(starts[row], starts[row + 1]):
            struck[columns[one]] = True
        for one in range(rows[0][row], rows[0][row + 1]):
            if struck[rows[1][one]]:
                rows[2][one] = 0
        for one in range(starts[row], starts[row + 1]):
            struck[columns[one]] = False


@numba.njit(nogil=True)
def nearest(rows: Rows, near: Rows, crowd: int, own: np.ndarray, count: int) -> Rows:
    """Of each row those of a crowd whose unit rows are nearest to it, by their shares of all that nearness; ascending.

    Args:
        rows: of B who ask, over I columns.
        near: the crowd's unit rows turned, of I rows over C columns.
        crowd: how many they are.
        own: int [B] who of the crowd the row itself is; -1 for nobody, else never among the nearest.
        count: of them, less those that are as near as the next one.
    """
    starts = np.zeros(len(own) + 1, np.int64)
    columns, entries = np.empty(len(own) * count, np.int64), np.empty(len(own) * count, np.float32)
    line, heap, place = np.zeros(crowd, np.float32), np.empty(count + 1), np.empty(count + 1, np.int64)
    every = np.arange(crowd, dtype=np.int32)
    for row in range(len(own)):
        for one in range(rows[0][row], rows[0][row + 1]):
            begin, end = near[0][rows[1][one]], near[0][rows[1][one] + 1]
            _add(line, near[1][begin:end], near[2][begin:end], rows[2][one])
        if own[row] >= 0:
            line[own[row]] = 0
        full = _head(every, line, 0.0, heap, place) > count
        least = heap[0] if full else 0.0
        first = done = starts[row]
        total = 0.0
        for at in range(crowd):
            if line[at] > least:
                columns[done], entries[done] = at, line[at]
                total += line[at]
                done += 1
            line[at] = 0
        for at in range(first, done):
            entries[at] /= total
        starts[row + 1] = done
    return starts, columns[: starts[-1]], entries[: starts[-1]]


@numba.njit(nogil=True)
def summed(rows: Rows, others: Rows, width: int) -> Rows:
    """The product: of each row the sum of the rows that its columns name, by its entries; columns in no order.

    Args:
        rows: of B rows over I columns.
        others: of I rows.
        width: their columns.
    """
    starts, room = np.zeros(len(rows[0]), np.int64), 0
    for row in range(len(starts) - 1):
        most = 0
        for one in range(rows[0][row], rows[0][row + 1]):
            most += others[0][rows[1][one] + 1] - others[0][rows[1][one]]
        room += min(most, width)
    room += 1  # where what is nothing is put
    columns, entries = np.empty(room, np.int32), np.empty(room, others[2].dtype)  # what is not filled takes no memory
    line, seen, done = np.zeros(width, others[2].dtype), np.zeros(width, np.bool_), 0
    for row in range(len(starts) - 1):
        adds = 0
        for one in range(rows[0][row], rows[0][row + 1]):
            begin, end = others[0][rows[1][one]], others[0][rows[1][one] + 1]
            adds += end - begin
            _add(line, others[1][begin:end], others[2][begin:end], rows[2][one])
        first = done
        if adds < width // FEW:
            for one in range(rows[0][row], rows[0][row + 1]):
                done = _new(seen, others[1][others[0][rows[1][one]] : others[0][rows[1][one] + 1]], columns, done)
            for at in range(first, done):
                entries[at] = line[columns[at]]
                line[columns[at]], seen[columns[at]] = 0, False
        else:
            for at in range(width):  # without asking before, as half of the answers would come as a surprise
                columns[done], entries[done] = at, line[at]
                done += line[at] != 0
                line[at] = 0
        starts[row + 1] = done
    return starts, columns[:done], entries[:done]


@numba.njit(nogil=True)
def _add(line: np.ndarray, columns: np.ndarray, entries: np.ndarray, weight: float) -> None:
    for at in range(len(columns)):
        line[columns[at]] += weight * entries[at]


@numba.njit(nogil=True)
def _new(seen: np.ndarray, columns: np.ndarray, found: np.ndarray, done: int) -> int:
    """Put behind what is found the columns that were not seen before."""
    for at in range(len(columns)):
        if not seen[columns[at]]:
            seen[columns[at]] = True
            found[done] = columns[at]
            done += 1
    return done
