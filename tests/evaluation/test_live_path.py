import numpy as np
import pytest

from ferlib.data.drawn.dataset import draw_faces
from ferlib.evaluation.live_path import measure_live_path


class Finder:
    """Finds every face but each third one, where it was pasted: the brightest box."""

    def __init__(self, make, miss=3):
        self.make, self.miss, self.calls = make, miss, 0

    def __call__(self, picture):
        self.calls += 1
        if self.calls % self.miss == 0:
            return []
        rows, columns = np.nonzero(picture[..., 0] > 200)
        return [self.make.detection((columns.min(), rows.min(), columns.max(), rows.max()))]


def test_a_missed_face_counts_as_an_error(make):
    faces = np.full((6, 48, 48), 20, np.uint8)
    faces[:, 4:44, 4:44] = 250
    result = measure_live_path(lambda given: np.eye(8)[np.full(len(given), 2)], faces, np.full(6, 2), Finder(make))
    assert result["n"] == 6
    assert result["found"] == pytest.approx(4 / 6)
    assert result["crop"]["accuracy"] == 1
    assert result["live"]["accuracy"] == pytest.approx(4 / 6)
    assert result["live_if_found"]["accuracy"] == 1
    assert result["cost"]["difference"] == pytest.approx(2 / 6)


def test_a_detector_that_finds_nothing_gives_zero(make):
    faces = np.zeros((2, 48, 48), np.uint8)
    result = measure_live_path(lambda given: np.eye(8)[np.zeros(len(given), int)], faces, [0, 0], Finder(make, miss=1))
    assert (result["found"], result["live"]["accuracy"]) == (0, 0)
    assert "live_if_found" not in result


@pytest.mark.slow
def test_drawn_faces_go_through_the_real_detector(detector):
    faces = draw_faces([4, 4], seed=0, size=48)
    result = measure_live_path(lambda given: np.eye(8)[np.full(len(given), 4)], faces, [4, 4], detector)
    assert 0 <= result["found"] <= 1
    assert result["live"]["accuracy"] == result["found"]
