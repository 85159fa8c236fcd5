import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.plots import comparison, parts, scores

HUMAN = {"against_majority": 0.786, "against_others": 0.772}


def rate(accuracy, n=100):
    return {"accuracy": accuracy, "interval": [accuracy - 0.02, accuracy + 0.01], "n": n}


def texts(axis):
    return [text.get_text() for text in axis.texts]


def legends(figure):
    return {text.get_text() for legend in [*figure.legends] for text in legend.get_texts()}


def test_error_bars_have_the_intervals_lengths():
    assert parts.error_lengths([0.5], [[0.4, 0.55]]).ravel().tolist() == pytest.approx([10, 5])
    assert parts.error_lengths([0.5], [[0.5, 0.4]]).min() == 0  # rounding must not turn a bar round


def test_the_human_line_is_drawn_and_named():
    figure = comparison.plot_model_comparison([{"model": "a", "test": rate(0.85)}], HUMAN, "note")
    assert {"one tagger, against the majority (78.6 %)", "one tagger, against the other nine (77.2 %)"} <= legends(
        figure
    )
    upright = [
        line.get_xdata()[0]
        for line in figure.axes[0].lines
        if line.get_linestyle() == "--" and len(line.get_xdata()) == 2
    ]
    assert upright == pytest.approx([78.6, 77.2])


def test_a_published_model_has_its_own_colour_in_every_figure():
    some, more = (
        parts.model_colours(["convnext", "mine"]),
        parts.model_colours(["custom_cnn", "convnext", "mine", "yours"]),
    )
    assert some["convnext"] == more["convnext"]
    assert len(set(more.values())) == 4
    assert len(parts.model_colours([f"{k}" for k in range(20)])) == 20


def test_models_stand_in_rows_with_each_part():
    rows = [
        {"model": "a", "valid": rate(0.9), "test": rate(0.85), "test, leak-free": rate(0.86)},
        {"model": "b", "test": rate(0.7)},
    ]
    figure = comparison.plot_model_comparison(rows, {"against_majority": None}, "note")
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert axis.yaxis_inverted()
    assert sorted(texts(axis)) == ["70.0", "85.0", "86.0", "90.0"]


def test_confusion_shows_counts_and_percent():
    matrix = np.diag([10] * 8)
    matrix[6, 5] = 30
    left, right = scores.plot_confusion(matrix, "note").axes
    assert "30" in texts(left)
    assert "75" in texts(right)
    assert texts(right).count("100") == 7


def test_an_undefined_precision_is_a_dash_and_no_bar():
    row = {"precision": 0.5, "recall": 0.25, "f1": 0.4, "support": 12}
    per_class = {emotion: dict(row) for emotion in EMOTIONS}
    per_class["contempt"]["precision"] = None
    axis = scores.plot_class_scores(per_class, "note").axes[0]
    assert texts(axis)[1] == "–"
    assert axis.patches[1].get_width() == 0
    assert axis.get_yticklabels()[0].get_text() == "angry (12)"


def test_pairs_and_recall_use_the_classes_colours():
    axis = scores.plot_confused_pairs([{"label": "sad", "predicted": "neutral", "images": 9, "share": 0.3}], "n").axes[
        0
    ]
    assert plt.matplotlib.colors.to_hex(axis.patches[0].get_facecolor()).upper() == COLOURS["sad"]
    assert texts(axis) == [" 9  (30 % of sad)"]
    rows = [{"emotion": "fear", "images": 500, "recall": 0.4}, {"emotion": "sad", "images": 50, "recall": None}]
    axis = scores.plot_recall_against_examples(rows, "note").axes[0]
    assert texts(axis) == ["fear"]
    assert axis.collections[0].get_offsets().tolist() == [[500, 40]]


def test_training_curves_mark_the_best_epoch():
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [3, 2, 1], "valid_loss": [3, 2, 2], "valid_accuracy": [0.4, 0.6, 0.5]}
    )
    left, right = scores.plot_training_curves({"a": history}, HUMAN, "note").axes
    dots = [line.get_xydata().tolist() for line in right.lines if line.get_marker() == "o"]
    assert dots == [[[2, 60]]]
    assert [line.get_linestyle() for line in left.lines] == ["-", "--"]
    people = {"one tagger, against the majority (78.6 %)", "one tagger, against the other nine (77.2 %)"}
    assert legends(left.figure) == {"a"} | people


def test_curves_name_their_areas():
    curve = {
        "fpr": [0, 1],
        "tpr": [0, 1],
        "roc_auc": 0.5,
        "precision": [0.1, 1],
        "recall": [1, 0],
        "average_precision": 0.1,
    }
    assert legends(scores.plot_roc_and_pr({"happy": curve}, "note")) == {"happy  0.500, 0.100"}


def test_protocols_show_n_and_leave_out_the_empty_ones():
    rows = [{"labels": "label.csv", "rule": "majority", "classes": classes, **rate(0.85)} for classes in (8, 7)]
    rows.append({"labels": "x", "rule": "argmax", "classes": 8, "n": 0, "accuracy": None, "interval": None})
    axis = comparison.plot_protocols(rows, HUMAN, "note").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "label.csv, majority",
        "label.csv, majority, 7 classes",
    ]
    assert texts(axis) == ["85.0   n = 100"] * 2


def test_leaks_differences_and_cost():
    drop = {"plain": {"difference": -0.03, "interval": [-0.06, 0.0]}}
    left, right = comparison.plot_leak_parts(
        [{"model": "a", "leak_free": rate(0.86), "leaked": rate(0.82), "drop": drop}], HUMAN, "n"
    ).axes
    assert (texts(left), texts(right)) == (["86.0", "82.0"], ["-3.0"])
    row = {"first": "a", "second": "b", "difference": 0.02, "interval": [0.01, 0.03], "p_adjusted": 0.0004}
    axis = comparison.plot_differences([row, {**row, "p_adjusted": 0.25}], "note").axes[0]
    assert texts(axis) == ["p < 0.001", "p = 0.250"]
    cost = {"model": "a", **rate(0.85), "milliseconds": 7.0, "parameters": 3_100_000}
    axis = comparison.plot_accuracy_against_cost([cost], HUMAN, "note").axes[0]
    assert axis.collections[-1].get_offsets().tolist() == [[7, 85]]
    assert "a, 3.1 M" in legends(axis.figure)


def test_a_long_caption_is_wrapped_inside_the_figure():
    figure = comparison.plot_protocols([{"labels": "x", "rule": "y", "classes": 8, **rate(0.5)}], HUMAN, "word " * 60)
    figure.canvas.draw()
    box = figure._supxlabel.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert "\n" in figure._supxlabel.get_text()
