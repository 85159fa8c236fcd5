import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferlib.data.labels import EMOTIONS, INDEX, MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models.questions import (
    BOTH_QUESTIONS,
    SEEN_ONLY,
    blend,
    check_questions,
    columns,
    emotion_of_meant,
    output_count,
    widen_meant,
)


def draw(seed, classes, count=5):
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count).astype(np.float32)


def test_the_logits_of_seen_come_first():
    assert output_count(SEEN_ONLY) == 8
    assert output_count(BOTH_QUESTIONS) == 15
    row = list(range(15))
    assert row[columns("seen")] + row[columns("meant")] == row
    assert len(row[columns("meant")]) == len(MEANT_EMOTIONS)


@pytest.mark.parametrize("questions", [(), ("meant",), ("meant", "seen"), ("seen", "felt")])
def test_other_questions_are_refused(questions):
    with pytest.raises(FerlibError, match="questions must be"):
        check_questions(questions)
    assert check_questions(["seen", "meant"]) == BOTH_QUESTIONS


def test_meant_has_every_class_but_contempt():
    wide = widen_meant(np.eye(7, dtype=np.float32))
    assert [EMOTIONS[index] for index in wide.argmax(axis=1)] == list(MEANT_EMOTIONS)
    assert not wide[:, INDEX["contempt"]].any()


@given(st.integers(0, 1000), st.floats(0, 1))
def test_a_blend_is_a_distribution_with_the_contempt_that_people_see(seed, share):
    seen, meant = draw(seed, 8), draw(seed + 1, 7)
    blended = blend(seen, meant, share)
    assert blended.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert (blended >= 0).all()
    assert np.array_equal(blended[:, INDEX["contempt"]], seen[:, INDEX["contempt"]])


def test_the_ends_of_the_blend_are_the_two_answers():
    seen, meant = draw(0, 8), draw(1, 7)
    assert np.array_equal(blend(seen, meant, 0.0), seen)
    alone = blend(seen, meant, 1.0)
    places = [INDEX[name] for name in MEANT_EMOTIONS]
    assert alone[:, places] / (1 - seen[:, [INDEX["contempt"]]]) == pytest.approx(meant, abs=1e-6)


def test_no_face_gives_no_row():
    assert blend(np.zeros((0, 8)), np.zeros((0, 7)), 0.5).shape == (0, 8)


def test_labels_of_meant_become_those_of_all_emotions():
    labels = emotion_of_meant(np.array([0, 1, 6, -1]))
    assert [EMOTIONS[index] for index in labels[:3]] == ["angry", "disgust", "surprise"]
    assert labels[3] == -1
