import numpy as np
import pytest
import torch
from facenet_pytorch.models.utils.detect_face import nms_numpy
from torchvision.ops import batched_nms

from ferlib.faces.mtcnn import cascade
from ferlib.faces.mtcnn.cascade import as_squares, nms, nms_contained, pyramid_scales


def random_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    low = random.integers(0, 200, (count, 2))
    boxes = np.concatenate([low, low + random.integers(1, 80, (count, 2))], axis=1).astype(np.float32)
    return boxes, random.permutation(count).astype(np.float32) / max(count, 1)


@pytest.mark.parametrize("max_overlap", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("count", [0, 1, 2, 300, 700])
def test_suppression_keeps_what_torchvision_keeps(count, max_overlap):
    boxes, scores = random_boxes(count)
    tensors = torch.from_numpy(boxes), torch.from_numpy(scores), torch.zeros(count, dtype=torch.int64)
    assert nms(boxes, scores, max_overlap).tolist() == batched_nms(*tensors, max_overlap).tolist()


@pytest.mark.parametrize("count", [1, 2, 300, 700])
def test_suppression_by_the_smaller_area_keeps_what_facenet_pytorch_keeps(count):
    boxes, scores = random_boxes(count, seed=1)
    assert nms_contained(boxes, scores, 0.7).tolist() == nms_numpy(boxes, scores, 0.7, "Min").tolist()


def test_equal_scores_stay_in_their_order():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    assert nms(boxes, np.float32([0.5, 0.5, 0.5]), 0.5).tolist() == [0, 2]


def test_boxes_without_area_do_no_harm():
    boxes = np.float32([[5, 5, 5, 5], [5, 5, 5, 5]])
    assert nms(boxes, np.float32([0.9, 0.8]), 0.5).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("size", "min_face_size", "levels"), [((480, 640), 40, 8), ((39, 100), 40, 0), ((41, 41), 40, 1)]
)
def test_the_pyramid_goes_from_the_smallest_face_to_the_whole_picture(size, min_face_size, levels):
    scales = pyramid_scales(*size, min_face_size)
    assert len(scales) == levels
    assert not scales or (scales[0] == 12 / min_face_size and min(size) * scales[-1] >= 12)


def test_squares_are_about_the_centre():
    np.testing.assert_allclose(as_squares(np.float32([[10, 20, 30, 60]])), [[0, 20, 40, 60]])


class CountingNets:
    """Nets that see a face everywhere and count the crops."""

    def __init__(self):
        self.crops_seen = 0

    def pnet(self, pixels):
        height, width = ((side - 2 + 1) // 2 - 4 for side in pixels.shape[2:])
        cells = np.zeros((1, 5, height, width), np.float32)
        cells[:, 0] = 1 + np.random.default_rng(0).uniform(size=(height, width))
        return cells

    def rnet(self, pixels):
        self.crops_seen += len(pixels)
        return np.zeros((len(pixels), 5), np.float32)

    def onet(self, pixels):
        raise AssertionError("the second net refuses everything")


def test_there_is_a_limit_to_candidates(monkeypatch):
    image, nets = np.zeros((200, 200, 3), np.uint8), CountingNets()
    cascade.Cascade(nets).detect(image, 20)
    assert nets.crops_seen > 60
    monkeypatch.setattr(cascade, "_MAX_CANDIDATES", 50)
    limited = CountingNets()
    boxes, scores, points = cascade.Cascade(limited).detect(image, 20)
    assert limited.crops_seen == 50
    assert (boxes.shape, scores.shape, points.shape) == ((0, 4), (0,), (0, 5, 2))
