"""Loops as machine code, and the NumPy way beside them."""

import cv2
import numba
import numpy as np
import pytest

from ferlib import paths
from ferlib.faces.mtcnn import area, cascade
from ferlib.faces.mtcnn import compiled as compiling
from ferlib.faces.mtcnn.compiled import compile_loops, compiled


def twice(values):
    total = np.int32(0)
    for value in values:
        total = np.int32(total + value)
    return total / np.float32(0), total


def nothing(values):
    return None


def test_division_by_zero_gives_infinity_as_in_numpy():
    function = compiled(nothing)(twice)
    function.compile()
    ratio, total = function(np.array([1, 2], np.int32))
    assert np.isinf(ratio)
    assert total == 3


def test_it_works_where_nothing_can_be_written(monkeypatch):
    njit = numba.njit

    def read_only(function, *, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", read_only)
    function = compiled(nothing)(twice)
    function.compile()
    assert function(np.array([4, 5], np.int32))[1] == 9


def test_the_numpy_way_is_taken_until_numba_is_worth_its_import(monkeypatch):
    monkeypatch.setattr(compiling, "_PATIENCE", 2)
    function = compiled(nothing)(twice)
    assert [function(np.array([4], np.int32)) is None for _ in range(4)] == [True, True, False, False]


def test_without_numba_the_numpy_way_is_always_taken(monkeypatch):
    monkeypatch.setattr(compiling, "HAS_NUMBA", False)
    monkeypatch.setattr(compiling, "_PATIENCE", 0)
    function = compiled(nothing)(twice)
    function.compile()
    assert function(np.array([4], np.int32)) is None


def test_a_stream_compiles_every_loop_before_it_begins(monkeypatch):
    monkeypatch.setattr(compiling, "_functions", [])
    function = compiled(nothing)(twice)
    compile_loops()
    assert function(np.array([4], np.int32))[1] == 4


def test_the_machine_code_is_cached_among_the_project_s_caches():
    compile_loops()
    assert str(paths.CACHE / "numba") == numba.config.CACHE_DIR


@pytest.mark.parametrize("count", [1, 9])
def test_means_are_the_same_with_and_without_numba(count):
    area._means.compile()
    random = np.random.default_rng(count)
    picture = random.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    table = cv2.integral(picture, sdepth=cv2.CV_32S)
    low = random.integers(0, 40, (count, 2))
    corners = np.concatenate([low, low + random.integers(1, 30, (count, 2))], axis=1)
    for height, width in ((24, 24), (12, 17), (48, 48)):
        expected = area._means(table, corners, height, width)
        means = area.means_by_numpy(table, corners, height, width)
        assert means.dtype == np.float32
        np.testing.assert_array_equal(means, expected)


@pytest.mark.parametrize("count", [0, 1, 40, 700])
@pytest.mark.parametrize(("pixel", "smaller"), [(0, False), (1, True)])
def test_suppression_is_the_same_with_and_without_numba(count, pixel, smaller):
    cascade._nms.compile()
    random = np.random.default_rng(count)
    low = random.uniform(0, 60, (count, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + random.uniform(0, 30, (count, 2)).astype(np.float32)], axis=1)
    boxes[count // 2 :: 5, 2:] = boxes[count // 2 :: 5, :2]  # without area
    order = random.permutation(count)
    for max_overlap in (0.3, 0.7):
        expected = cascade._nms(boxes, order, max_overlap, pixel, smaller)
        np.testing.assert_array_equal(cascade.nms_by_numpy(boxes, order, max_overlap, pixel, smaller), expected)
