import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ferlib import plots_training
from ferlib.data.labels import EMOTIONS

HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [2.0, 1.5, 1.2], "valid_accuracy": [0.4, 0.7, 0.6]})


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_curves_are_in_percent_and_mark_the_epoch_that_was_kept():
    figure = plots_training.training_curves({"a": HISTORY, "b": HISTORY[:2]}, "note", best={"a": 2})
    right = figure.axes[1]
    assert list(right.lines[0].get_ydata()) == [40, 70, 60]
    assert list(zip(*right.lines[1].get_data(), strict=True)) == [(2, 70)]
    assert len(right.lines[3].get_xdata()) == 0  # b names no epoch
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["a", "b"]


def test_the_comparison_has_a_row_a_model_and_its_lines():
    rows = {"a": (0.8, 0.78, 0.82), "b": (0.85, 0.84, 0.86)}
    figure = plots_training.accuracy_comparison(rows, {"one tagger": 0.786}, "n = 5", others={"b": 0.77, "c": 0.1})
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "one tagger: 78.6 %" in words
    diamonds = [line for line in axis.lines if line.get_marker() == "D"]
    assert [list(line.get_xydata()[0]) for line in diamonds] == [[77, 1]]
    assert figure._supxlabel.get_text() == "n = 5"


def test_the_heat_map_names_the_number_of_images():
    table = pd.DataFrame([[0.5] * 8, [1.0] * 8], index=["a", "b"], columns=list(EMOTIONS))
    figure = plots_training.class_heatmap(table, "Recall", dict.fromkeys(EMOTIONS, 1234), "note")
    (axis,) = figure.axes
    assert axis.get_xticklabels()[0].get_text() == f"{EMOTIONS[0]}\nn = 1,234"
    assert {text.get_text() for text in axis.texts} == {"50", "100"}


def test_an_ablation_keeps_the_order_of_its_steps():
    figure = plots_training.ablation([("plain", 0.8, 0.79, 0.81), ("+ teacher", 0.86, 0.85, 0.87)], "note")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["plain", "+ teacher"]
    assert not figure.legends
