import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ferlib.data.labels import EMOTIONS
from ferlib.plots import data, streams, style


def balance():
    return data.plot_class_balance(
        {"train": dict.fromkeys(EMOTIONS, 10), "valid": dict.fromkeys(EMOTIONS, 2)}, "n = 96"
    )


def test_class_balance_shows_every_emotion_and_count():
    figure = balance()
    texts = {text.get_text() for axis in figure.axes for text in axis.texts}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(EMOTIONS)
    assert texts == {"10", "2"}
    assert figure.axes[0].yaxis_inverted()
    assert [bar.get_width() for bar in figure.axes[1].patches] == [12.5] * 8


def test_vote_rules_stacks_what_is_dropped():
    outcomes = pd.DataFrame(
        {"kept": [6, 8], "no majority": [3, 0], "unknown": [1, 2]}, index=["majority", "crossentropy"]
    )
    axis = data.plot_vote_rules(outcomes, "n = 10").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["majority\n6 kept", "crossentropy\n8 kept"]
    assert [text.get_text() for text in axis.texts] == ["4", "2"]
    assert max(bar.get_x() + bar.get_width() for bar in axis.patches) == 4


def test_leaks_gives_shares_of_the_row_split():
    table = pd.DataFrame([[4, 2], [2, 0]], index=["train", "test"], columns=["train", "test"])
    figure = data.plot_copies_and_leaks(table, {"train": 40, "test": 10}, {2: 3, 9: 1, 12: 1}, "")
    assert [text.get_text() for text in figure.axes[0].texts] == ["10.0 %\n4", "5.0 %\n2", "20.0 %\n2", "0.0 %\n0"]
    assert [bar.get_height() for bar in figure.axes[1].patches] == [3, 0, 0, 0, 0, 0, 0, 2]


def test_what_people_see_is_in_percent_of_what_was_meant():
    table = pd.DataFrame([[3, 1], [0, 0]], index=["sad", "fear"], columns=["neutral", "sad"])
    axis = data.plot_seen_by_meant(table, "").axes[0]
    assert [text.get_text() for text in axis.texts] == ["75", "25", "0", "0"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["sad, 4", "fear, 0"]


def test_grid_and_votes_take_drawn_faces():
    faces = np.zeros((3, 20, 20), np.uint8)
    assert len(data.plot_face_grid({"none": faces, "global": faces}, ["a", "b", "c"]).axes) == 6
    assert len(data.plot_votes(np.ones((3, 2)), ["x", "y"], ["a", "b", "c"], faces).axes) == 6


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_equal_figures_are_equal_files(tmp_path, suffix):
    first, again = (style.save_figure(balance(), tmp_path / f"{name}.{suffix}") for name in "ab")
    assert first.read_bytes() == again.read_bytes()
    assert first.stat().st_size > 1000


@pytest.mark.slow
def test_a_figure_is_a_small_opaque_picture_without_a_date(tmp_path):
    figure = balance()
    path = style.save_figure(figure, tmp_path / "a.png")
    figure.savefig(tmp_path / "plain.png")
    assert path.stat().st_size < (tmp_path / "plain.png").stat().st_size
    with Image.open(path) as small, Image.open(tmp_path / "plain.png") as plain:
        assert small.info == {"dpi": plain.info["dpi"]}  # neither a date nor transparency
        error = np.abs(np.asarray(small.convert("RGB"), int) - np.asarray(plain.convert("RGB"), int))
        assert error.mean() < 0.1


def test_emotion_strips_end_with_their_labels_and_show_gaps():
    strips = {"one": ([0.0, 1.0, 2.0], ["happy", "sad", "sad"]), "other": ([5.0], ["fear"])}
    figure = streams.plot_emotion_strips(strips, "a note", step=0.5)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["fear", "happy", "sad"]
    bars = [(bar.get_x(), bar.get_width()) for bar in axis.patches]
    assert bars[:3] == [(0.0, 0.5), (1.0, 0.5), (2.0, 0.5)]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["one", "other"]
    assert streams.plot_emotion_strips({"none": ([], [])}, "nobody").axes
