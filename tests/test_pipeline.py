import json

import numpy as np
import pytest
from fakes import TwoQuestions
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.inference import loading
from ferlib.pipeline import ROW_COLUMNS, EmotionPipeline, Face, load_pipeline


def test_array_file_and_pillow_image_give_the_same_face(pipeline, photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    results = [pipeline(source)[0].to_dict() for source in (photo, path, str(path), Image.open(path))]
    assert all(result == results[0] for result in results)
    assert results[0]["emotion"] == "angry"  # the fake classifier's first class
    assert results[0]["confidence"] == pytest.approx(0.72)


def test_all_faces_are_one_batch_of_grey_crops(pipeline, photo):
    faces = pipeline(np.hstack([photo, photo]))
    (batch,) = pipeline.classifier.batches
    assert batch.shape == (2, 48, 48)
    assert batch.dtype == np.uint8
    assert [face.emotion for face in faces] == ["angry", "contempt"]
    assert faces[0].box[0] < faces[1].box[0]


def test_no_face_does_not_call_the_classifier(pipeline):
    assert pipeline(np.zeros((120, 160, 3), np.uint8)) == []
    assert pipeline(np.zeros((1, 1, 3), np.uint8)) == []
    assert pipeline.classifier.batches == []


def test_a_grey_picture_is_accepted(pipeline, photo):
    assert len(pipeline(Image.fromarray(photo).convert("L"))) == 1


def test_a_grey_array_is_refused(pipeline, photo):
    with pytest.raises(FerlibError, match="load_picture"):
        pipeline(photo[..., 0])


def test_the_crop_follows_the_spec(detector, photo, make):
    spec = CropSpec("box", margin=0.4, align=False)
    pipeline = EmotionPipeline(detector, make.classifier(), spec)
    pipeline(photo)
    (detection,) = detector(photo)
    np.testing.assert_array_equal(pipeline.classifier.batches[0][0], crop_face(photo, detection, spec, size=48))


def test_classify_takes_detections_from_elsewhere(pipeline, photo, make):
    (face,) = pipeline.classify(photo, [make.detection((70, 60, 150, 170))])
    assert face.box == (70, 60, 150, 170)
    assert pipeline.classify(photo, []) == []


@pytest.mark.parametrize("answer", [np.zeros((1, 7)), np.full((1, 8), np.nan), np.zeros(8)])
def test_a_broken_classifier_is_reported(pipeline, photo, make, answer):
    pipeline.classifier.predict_proba = lambda faces: answer
    with pytest.raises(FerlibError, match="classifier"):
        pipeline.classify(photo, [make.detection()])


def test_to_dict_is_json_in_the_documented_form(make):
    value = make.face((1.23456, 2, 30, 40), "sad", 0.5123456789).to_dict()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert list(value) == ["box", "detection_confidence", "landmarks", "emotion", "confidence", "sure", "probabilities"]
    assert value["box"] == [1.2, 2.0, 30.0, 40.0]
    assert np.shape(value["landmarks"]) == (5, 2)
    assert tuple(value["probabilities"]) == EMOTIONS
    assert value["confidence"] == value["probabilities"]["sad"] == 0.512346
    assert sum(value["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_load_pipeline_passes_the_options_on(monkeypatch, make):
    calls = []
    monkeypatch.setattr(loading, "load_classifier", lambda *arguments: calls.append(arguments) or make.classifier())
    pipeline = load_pipeline(
        "small", engine="int8", min_face_size=60, max_side=800, crop=CropSpec(margin=0.2), question="seen"
    )
    assert calls == [("small", "int8", None, "seen")]
    assert (pipeline.detector.min_face_size, pipeline.detector.max_side) == (60, 800)
    assert pipeline.crop.margin == 0.2


@pytest.mark.parametrize(("threshold", "sure", "label"), [(0.72, True, "angry"), (0.73, False, "not sure")])
def test_below_the_classifiers_threshold_it_is_not_sure(detector, make, photo, threshold, sure, label):
    classifier = make.classifier()
    classifier.threshold = np.float32(threshold)
    (face,) = EmotionPipeline(detector, classifier)(photo)
    assert (face.sure, face.label, face.emotion) == (sure, label, "angry")
    assert face.to_dict()["sure"] is sure


def test_a_classifier_without_a_threshold_is_always_sure(pipeline, photo):
    assert [face.sure for face in pipeline(photo)] == [True]


finite = st.floats(-1e5, 1e5, width=32)
shares = st.floats(0, 1, width=32)
faces = st.builds(
    Face,
    box=st.tuples(finite, finite, finite, finite), landmarks=arrays(np.float32, (5, 2), elements=finite),
    detection_confidence=shares, emotion=st.sampled_from(EMOTIONS), confidence=shares,
    probabilities=arrays(np.float32, 8, elements=shares), sure=st.booleans(),
)  # fmt: skip


@given(face=faces)
def test_a_stored_face_is_the_same_after_every_round_trip(face):
    value = face.to_dict()
    again = Face.from_dict(json.loads(json.dumps(value, allow_nan=False)))
    assert again.to_dict() == value
    assert (again.row(), again.label) == (face.row(), face.label)
    np.testing.assert_allclose(again.landmarks, face.landmarks, atol=0.06)
    np.testing.assert_allclose(again.probabilities, face.probabilities, atol=1e-6)


def test_a_face_comes_back_from_its_dict_and_from_a_list_of_probabilities(make):
    face = make.face((1.26, 2, 30, 40), "sad", 0.61)
    value = face.to_dict()
    listed = value | {"probabilities": list(value["probabilities"].values())}
    for again in (Face.from_dict(value), Face.from_dict(listed)):
        assert again.to_dict() == value
        assert again.landmarks.dtype == again.probabilities.dtype == np.float32
    assert face.row() == [*value["box"], 0.99, "sad", 0.61, 1, *value["probabilities"].values()]
    assert len(face.row()) == len(ROW_COLUMNS)


def test_a_face_has_both_answers_where_the_classifier_gives_them(detector, photo):
    (face,) = EmotionPipeline(detector, TwoQuestions())(photo)
    assert face.emotion == "sad"
    assert (EMOTIONS[face.seen.argmax()], MEANT_EMOTIONS[face.meant.argmax()]) == ("neutral", "sad")
    value = face.to_dict()
    assert (value["seen"]["neutral"], value["meant"]["sad"], value["probabilities"]["sad"]) == (1.0, 1.0, 0.6)
    again = Face.from_dict(json.loads(json.dumps(value)))
    assert np.array_equal(again.seen, face.seen)
    assert np.array_equal(again.meant, face.meant)
    assert EmotionPipeline(detector, TwoQuestions()).identity()["question"] == "both"


def test_a_face_of_one_answer_has_no_further_keys(pipeline, photo):
    (face,) = pipeline(photo)
    assert (face.seen, face.meant) == (None, None)
    assert not {"seen", "meant"} & set(face.to_dict())
    assert "question" not in pipeline.identity()
