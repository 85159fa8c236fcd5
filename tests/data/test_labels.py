"""The one class order, and the names that others use for it."""

import re

import numpy as np
import pytest

from ferlib.data.labels import (
    COLOURS,
    COLUMN_OF_EMOTION,
    EMOTION_OF_COLUMN,
    EMOTIONS,
    INDEX,
    KAGGLE_EMOTIONS,
    MEANT_EMOTIONS,
    MEANT_INDEX,
    VOTE_COLUMNS,
    emotion_of_folder,
)


def test_the_class_order():
    assert EMOTIONS == ("angry", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert [INDEX[name] for name in EMOTIONS] == list(range(8))


def test_the_order_of_what_was_meant():
    assert MEANT_EMOTIONS == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert [MEANT_INDEX[name] for name in MEANT_EMOTIONS] == list(range(7))


def test_the_codes_of_kaggle():
    assert KAGGLE_EMOTIONS[0] == "angry"
    assert KAGGLE_EMOTIONS[4:] == ("sad", "surprise", "neutral")
    assert sorted(KAGGLE_EMOTIONS) == sorted(MEANT_EMOTIONS)


def test_vote_columns_are_those_of_the_label_files():
    assert VOTE_COLUMNS[:8] == (
        "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
    )  # fmt: skip
    assert VOTE_COLUMNS[8:] == ("unknown", "NF")


def test_each_class_has_its_vote_column():
    meant = {
        "angry": "anger", "contempt": "contempt", "disgust": "disgust", "fear": "fear", "happy": "happiness",
        "neutral": "neutral", "sad": "sadness", "surprise": "surprise",
    }  # fmt: skip
    assert {name: VOTE_COLUMNS[COLUMN_OF_EMOTION[INDEX[name]]] for name in EMOTIONS} == meant


def test_columns_to_classes_and_back():
    votes = np.arange(10)
    assert [EMOTION_OF_COLUMN[column] for column in votes[list(COLUMN_OF_EMOTION)]] == list(EMOTIONS)


def test_every_class_has_its_own_colour():
    assert set(COLOURS) == set(EMOTIONS)
    assert len(set(COLOURS.values())) == 8
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in COLOURS.values())


@pytest.mark.parametrize(
    ("folder", "emotion"),
    [
        ("happy", "happy"), ("Happiness", "happy"), ("3_happy", "happy"), ("HA", "happy"), ("anger", "angry"),
        ("SURPRISE", "surprise"), ("surprised", "surprise"), ("fearful", "fear"), ("0 - Neutral", "neutral"),
        ("sadness", "sad"), ("disgusted", "disgust"), ("contempt", "contempt"),
        ("unknown", None), ("", None), ("12", None), ("happy faces", None),
    ],
)  # fmt: skip
def test_folder_names(folder, emotion):
    assert emotion_of_folder(folder) == emotion
