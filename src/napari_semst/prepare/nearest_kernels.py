"""The loops of the search for nearest neighbours, compiled by numba for the CPU.

Imported only where neighbours are sought: importing compiles, or loads what an earlier
run compiled.
"""

from __future__ import annotations

from napari_semst.core.compiled import compiled_once

# Values looked at together: the compiler compares as many at once.
_LANES = 16


@compiled_once(
    "void(float32[:,::1], int32[::1], int64, int64, int32[:,::1], float32[:,::1])",
    nogil=True,
)
def keep_best(scores, rows, first, offset, nearest, best):  # type: ignore[no-untyped-def]
    """Put scores into the lists of the best so far; of equals the earlier one stays.

    Parameters
    ----------
    scores
        Of some rows with some points, ``(n, m)``.
    rows
        Which lists these rows are, ``(n,)``.
    first
        Number of the first of the points; the others follow.
    offset
        Number, among the points, of the first list's own point: it is left out.
    nearest, best
        Lists of points and their scores, falling, each ``(n_lists, k)``; changed.
    """
    n_points, last = scores.shape[1], nearest.shape[1] - 1
    for a in range(scores.shape[0]):
        row = rows[a]
        own = offset + row - first
        least = best[row, last]
        for begin in range(0, n_points, _LANES):
            end = min(begin + _LANES, n_points)
            found = end - begin < _LANES
            if not found:
                for j in range(_LANES):
                    found |= scores[a, begin + j] > least
            if not found:
                continue
            for j in range(begin, end):
                score = scores[a, j]
                if score <= least or j == own:
                    continue
                place = last
                while place > 0 and best[row, place - 1] < score:
                    best[row, place] = best[row, place - 1]
                    nearest[row, place] = nearest[row, place - 1]
                    place -= 1
                best[row, place] = score
                nearest[row, place] = first + j
                least = best[row, last]


@compiled_once("void(float32[:,::1], float32[::1], uint16[:,::1])", nogil=True)
def columns_from(values, least, columns):  # type: ignore[no-untyped-def]
    """Write for each row the columns whose value is not below its least.

    Parameters
    ----------
    values
        Shape ``(n, m)``.
    least
        The p-th largest value of each row, ``(n,)``: of more that equal it the first
        ones count.
    columns
        Shape ``(n, p)``; written.
    """
    wanted = columns.shape[1]
    for i in range(values.shape[0]):
        found = 0
        # First those above: what equals the least must not take their place.
        for j in range(values.shape[1]):
            if values[i, j] > least[i]:
                columns[i, found] = j
                found += 1
        for j in range(values.shape[1]):
            if found == wanted:
                break
            if values[i, j] == least[i]:
                columns[i, found] = j
                found += 1
