"""Loops as machine code."""

import numba
import numpy as np

from ferlib.faces.mtcnn.compiled import compiled


def twice(values):
    total = np.int32(0)
    for value in values:
        total = np.int32(total + value)
    return total / np.float32(0), total


def test_division_by_zero_gives_infinity_as_in_numpy():
    ratio, total = compiled(twice)(np.array([1, 2], np.int32))
    assert np.isinf(ratio)
    assert total == 3


def test_it_works_where_nothing_can_be_written(monkeypatch):
    njit = numba.njit

    def read_only(function, *, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", read_only)
    assert compiled(twice)(np.array([4, 5], np.int32))[1] == 9
