import pandas as pd

from ferlib.data.labels import EMOTIONS
from ferlib.plots import training as plots_training


def test_the_comparison_has_a_row_a_model_and_its_lines():
    rows = {"a": (0.8, 0.78, 0.82), "b": (0.85, 0.84, 0.86)}
    human, others = {"against_majority": 0.786, "against_others": 0.772}, {"b": 0.77, "c": 0.1}
    figure = plots_training.plot_accuracy_comparison(rows, human, {"VGG13": 0.85}, "n = 5", others)
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"one tagger, against the majority (78.6 %)", "VGG13 (85.0 %)"} <= set(names)
    assert "one tagger, against the other nine (77.2 %)" in names
    diamonds = [line for line in axis.lines if line.get_marker() == "D"]
    assert [list(line.get_xydata()[0]) for line in diamonds] == [[77, 1]]
    assert figure._supxlabel.get_text() == "n = 5"


def test_the_heat_map_names_the_number_of_images():
    table = pd.DataFrame([[0.5] * 8, [1.0] * 8], index=["a", "b"], columns=list(EMOTIONS))
    figure = plots_training.plot_class_heat_map(table, "Recall", dict.fromkeys(EMOTIONS, 1234), "note")
    (axis,) = figure.axes
    assert axis.get_xticklabels()[0].get_text() == f"{EMOTIONS[0]}\nn = 1,234"
    assert {text.get_text() for text in axis.texts} == {"50", "100"}


def test_an_ablation_keeps_the_order_of_its_steps():
    figure = plots_training.plot_ablation(
        [("plain", 0.8, 0.79, 0.81), ("+ teacher", 0.86, 0.85, 0.87)], {"against_majority": 0.78}, "note"
    )
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["plain", "+ teacher"]
    assert figure.legends[0].get_texts()[0].get_text() == "one tagger, against the majority (78.0 %)"
