from dataclasses import replace

import pytest

from ferlib.annotate import words


def test_a_label_is_emotion_and_percent_or_not_sure(make):
    face = make.face(emotion="sad", confidence=0.976)
    assert words.label(face) == "sad 98 %"
    assert words.label(replace(face, sure=False)) == "not sure"


def test_several_faces_are_numbered_and_a_single_one_is_not(make):
    faces = [make.face(confidence=0.79), replace(make.face(), sure=False)]
    assert words.labels(faces, numbered=True) == ["1 · happy 79 %", "2 · not sure"]
    assert words.labels(faces, numbered=False) == ["happy 79 %", "not sure"]
    assert words.labels(faces[:1], numbered=True) == ["happy 79 %"]
    assert words.heading(faces[0], 7) == "7 · happy 79 %"


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "a.jpg: no face found."), (1, "a.jpg: 1 face, happy 98 %."), (2, "a.jpg: 2 faces, happy 98 %, not sure.")],
)
def test_the_sentence_of_a_picture(make, count, sentence):
    faces = [make.face(confidence=0.98), replace(make.face(emotion="sad"), sure=False)]
    assert words.summarise("a.jpg", faces[:count]) == sentence
