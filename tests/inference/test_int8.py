import numpy as np
import pytest

from ferlib.data.drawn.dataset import draw_faces
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.inference import graphs, int8, onnx_export
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints

FACES = draw_faces([index % len(EMOTIONS) for index in range(16)], seed=1, size=48)


@pytest.fixture
def graph(tiny_checkpoint):
    about, _ = checkpoints.describe("tiny")
    return onnx_export.load_graph(about, lambda: checkpoints.load("tiny"))


@pytest.fixture
def ranges(graph):
    about, _ = checkpoints.describe("tiny")
    measured = int8.measure_ranges(graph, FACES)
    int8.write_ranges(about, measured, len(FACES))
    return measured


def test_eight_bits_are_near_single_precision_and_not_equal(ranges):
    quantised = load_classifier("tiny", engine="int8", threads=1).predict_proba(FACES)
    expected = load_classifier("tiny", engine="onnx", threads=1).predict_proba(FACES)
    difference = np.abs(quantised - expected).max()
    assert 0 < difference < 0.05
    assert np.allclose(quantised.sum(axis=1), 1, atol=1e-5)


def test_the_graph_really_has_integer_weights(graph, ranges):
    small = int8.quantise(graph, ranges)
    assert len(small) < 0.6 * len(graph)
    assert onnx_export.metadata(small)["precision"] == "int8"


def test_ranges_are_those_of_the_faces(graph, ranges):
    assert all(low <= high for low, high in ranges.values())
    darker = int8.measure_ranges(graph, np.zeros_like(FACES))
    assert darker.keys() == ranges.keys()
    assert darker != ranges


def test_the_same_ranges_give_the_same_graph(ranges):
    about, _ = checkpoints.describe("tiny")

    def fresh():
        graphs.graph_path(about, "int8").unlink(missing_ok=True)
        return int8.load_int8_graph(about, lambda: checkpoints.load("tiny"))

    assert fresh() == fresh()


def test_new_ranges_make_a_new_graph(ranges):
    about, _ = checkpoints.describe("tiny")
    first = int8.load_int8_graph(about, lambda: checkpoints.load("tiny"))
    int8.write_ranges(about, {name: [2 * low, 2 * high] for name, (low, high) in ranges.items()}, 16)
    assert int8.load_int8_graph(about, lambda: checkpoints.load("tiny")) != first


def test_without_ranges_there_are_no_eight_bits(tiny_checkpoint):
    with pytest.raises(FerlibError, match=r"'tiny' has no 8-bit version; 'ferlib export tiny --int8'"):
        load_classifier("tiny", engine="int8")


@pytest.mark.parametrize(("text", "sentence"), [("{", "cannot be read"), ("{}", "cannot be read"), ("[]", "cannot be")])
def test_damaged_ranges_are_named(ranges, text, sentence):
    int8.ranges_path("tiny").write_text(text)
    with pytest.raises(FerlibError, match=rf"tiny\.int8\.json {sentence}"):
        load_classifier("tiny", engine="int8")


def test_ranges_of_other_weights_or_another_graph_are_refused(graph, ranges, monkeypatch):
    with pytest.raises(FerlibError, match="are of another graph"):
        int8.quantise(graph, {"x": [0.0, 1.0]})
    monkeypatch.setattr(graphs, "LAYOUT", "next")
    with pytest.raises(FerlibError, match="is of other weights"):
        load_classifier("tiny", engine="int8")


def test_a_processor_that_overflows_is_told(ranges, monkeypatch):
    monkeypatch.setattr(int8, "_MAX_DIFFERENCE", 0.0)
    with pytest.raises(FerlibError, match="8 bits are too coarse on this processor"):
        load_classifier("tiny", engine="int8")


def test_the_ranges_are_no_checkpoint(ranges):
    assert checkpoints.available() == ["convnext", "tiny"]
