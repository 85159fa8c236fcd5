"""Optimal assignment of faces to tracks: Kuhn's "Hungarian" problem, for the few dozen faces of a frame."""

from math import inf

import numpy as np


def assign(scores: np.ndarray) -> list[tuple[int, int]]:
    """Match rows with columns so that the sum of their scores is the greatest.

    Shortest augmenting paths with prices for rows and columns (Jonker and Volgenant 1987), row by row; plain numbers,
    since for the faces of a frame NumPy's calls would cost more than the work. scipy's `linear_sum_assignment` gives
    the same sum, but is 110 MB that prediction does not need otherwise.

    Args:
        scores: (N, M) finite numbers.

    Returns:
        min(N, M) pairs of row and column, sorted by row.
    """
    rows, columns = scores.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(scores.T))
    costs = (-scores).tolist()
    row_prices, column_prices = [0.0] * rows, [0.0] * columns
    owners = [-1] * columns  # the row that each column belongs to
    for start in range(rows):
        _augment(costs, start, row_prices, column_prices, owners)
    return sorted((row, column) for column, row in enumerate(owners) if row >= 0)


def _augment(
    costs: list[list[float]], start: int, row_prices: list[float], column_prices: list[float], owners: list[int]
) -> None:
    """Give the row `start` a column along the cheapest path, on which other rows may change theirs; in place."""
    distances, parents = [inf] * len(owners), [-1] * len(owners)
    left, done = set(range(len(owners))), []
    row, reached = start, 0.0
    while True:
        offset, row_costs = reached - row_prices[row], costs[row]
        for column in left:
            distance = offset + row_costs[column] - column_prices[column]
            if distance < distances[column]:
                distances[column], parents[column] = distance, row
        nearest = min(left, key=distances.__getitem__)
        reached = distances[nearest]
        if owners[nearest] < 0:
            break
        left.remove(nearest)
        done.append(nearest)
        row = owners[nearest]
    row_prices[start] += reached
    for column in done:
        row_prices[owners[column]] += reached - distances[column]
        column_prices[column] -= reached - distances[column]
    columns_of = {owners[column]: column for column in done}
    while True:
        row = parents[nearest]
        owners[nearest] = row
        if row == start:
            return
        nearest = columns_of[row]
