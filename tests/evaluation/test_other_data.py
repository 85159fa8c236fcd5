import numpy as np
import pytest
from PIL import Image

from ferlib.data.drawn.dataset import draw_faces
from ferlib.data.labels import EMOTIONS, INDEX
from ferlib.errors import FerlibError
from ferlib.evaluation import other_data
from ferlib.evaluation.other_data import evaluate_folder, evaluate_tree, find_classes, render_tree
from ferlib.inference.loading import load_classifier


def save(folder, **classes):
    """Drawn faces: ``save(folder, **{"train/Happiness": ("happy", 3)})``."""
    for name, (emotion, count) in classes.items():
        (folder / name).mkdir(parents=True)
        for number, face in enumerate(draw_faces([INDEX[emotion]] * count, seed=1, size=60)):
            Image.fromarray(face).save(folder / name / f"{number}.png")
    return folder


def reads(*emotions):
    """A classifier that says these one after another."""
    answers = iter(emotions)

    def predict(faces):
        rows = np.full((len(faces), 8), 0.05, np.float32)
        for row in rows:
            row[INDEX[next(answers)]] = 0.65
        return rows

    return predict


def test_class_names_are_mapped_at_any_depth_and_strangers_named(tmp_path):
    save(tmp_path, **{"train/Happiness": ("happy", 2), "test/3_sad": ("sad", 1), "calm": ("neutral", 2)})
    tree = find_classes(tmp_path)
    assert [EMOTIONS[label] for label in tree.labels] == ["sad", "happy", "happy"]
    assert tree.ids.tolist() == ["test/3_sad/0.png", "train/Happiness/0.png", "train/Happiness/1.png"]
    assert tree.left_out == {"calm": 2}


def test_files_that_are_no_pictures_are_named(tmp_path):
    save(tmp_path, happy=("happy", 2))
    (tmp_path / "happy" / "a.HEIC").touch()
    (tmp_path / "happy" / "b.mov").touch()
    report, _, _ = evaluate_tree(find_classes(tmp_path), reads("happy", "sad"), None)
    assert report["other_files"] == "1 HEIC photo (export as JPEG), 1 video (give each alone)"
    assert report["other_files"] in render_tree({"model": "m", "folder": "f", **report})


def test_control_characters_of_folders_never_reach_the_terminal(tmp_path):
    tree = find_classes(save(tmp_path, **{"happy": ("happy", 2), "a\x1b[2J\nb": ("sad", 1)}))
    report, _, _ = evaluate_tree(tree, reads("happy", "happy"), None)
    text = render_tree({"model": "m", "folder": "f\x07", **report})
    assert "a\\x1b[2J\\nb (1)" in text
    assert not set(text) & {"\x1b", "\x07"}


def test_numbered_folders_follow_the_named_data_set(tmp_path):
    save(tmp_path, **{"1": ("surprise", 1), "7": ("neutral", 1)})
    assert [EMOTIONS[label] for label in find_classes(tmp_path, "rafdb").labels] == ["surprise", "neutral"]
    assert [EMOTIONS[label] for label in find_classes(tmp_path, "affectnet").labels] == ["happy", "contempt"]
    with pytest.raises(FerlibError, match="say --numbering rafdb"):
        find_classes(tmp_path)


@pytest.mark.parametrize(
    ("names", "numbering", "sentence"),
    [
        ([], None, "holds no pictures"),
        (["cats"], None, "names an emotion; name them like angry"),
        (["1"], "x", "'x'; choose"),
    ],
)
def test_trees_that_cannot_be_used_are_explained(tmp_path, names, numbering, sentence):
    save(tmp_path, **{name: ("happy", 1) for name in names})
    with pytest.raises(FerlibError, match=sentence):
        find_classes(tmp_path, numbering)
    with pytest.raises(FerlibError, match="is not a folder"):
        find_classes(tmp_path / "nowhere")


def test_absent_classes_are_allowed_and_forbidden(tmp_path):
    tree = find_classes(save(tmp_path, happy=("happy", 2), sad=("sad", 2)))
    rows = np.array([[0.05] * 8] * 4, np.float32)
    rows[:, INDEX["neutral"]] = 0.5  # never present
    rows[[0, 1, 2], [INDEX["happy"]] * 3] = 0.2
    rows[3, INDEX["sad"]] = 0.2
    report, _, probabilities = evaluate_tree(tree, lambda faces: rows[: len(faces)], None)
    assert report["classes"] == ["happy", "sad"]
    assert report["eight"]["accuracy"] == 0
    assert report["present"]["accuracy"] == 0.75
    assert np.array_equal(probabilities, rows)


def test_a_picture_without_a_face_counts_as_wrong(tmp_path):
    tree = find_classes(save(tmp_path, happy=("happy", 3)))
    found_faces = iter([np.zeros((48, 48), np.uint8), None, np.zeros((48, 48), np.uint8)])
    report, _, _ = evaluate_tree(tree, reads("happy", "happy"), lambda picture: next(found_faces))
    assert (report["n"], report["not_found"]) == (3, 1)
    assert report["eight"]["accuracy"] == report["present"]["accuracy"] == pytest.approx(2 / 3)
    text = render_tree({"model": "m", "folder": "f", **report})
    assert "no face found in 1 pictures" in text
    assert "recall 66.67% of 3" in text


def test_a_picture_that_cannot_be_read_does_not_count(tmp_path):
    tree = find_classes(save(tmp_path, happy=("happy", 3)))
    tree.files[1].write_bytes(b"text")
    report, read, probabilities = evaluate_tree(tree, reads("happy", "sad"), None)
    assert (report["n"], report["not_found"], report["eight"]["accuracy"]) == (2, 0, 0.5)
    assert list(read.ids) == ["happy/0.png", "happy/2.png"]
    assert len(probabilities) == 2
    assert "left out: " + str(tree.files[1]) in render_tree({"model": "m", "folder": "f", **report})
    for path in tree.files:
        path.write_bytes(b"text")
    with pytest.raises(FerlibError, match=r"no picture of the tree can be read; the first one: .*0.png"):
        evaluate_tree(tree, reads(), None)


def test_batches_do_not_change_the_result(tmp_path, monkeypatch):
    tree = find_classes(save(tmp_path, happy=("happy", 3), sad=("sad", 2)))
    at_once, _, _ = evaluate_tree(tree, reads("happy", "sad", "happy", "sad", "happy"), None)
    monkeypatch.setattr(other_data, "_BATCH_PICTURES", 2)
    assert evaluate_tree(tree, reads("happy", "sad", "happy", "sad", "happy"), None)[0] == at_once


@pytest.mark.parametrize("size", [(48, 48), (30, 41), (130, 130), (150, 112)])
def test_the_pixels_reach_the_classifier_as_they_are(tmp_path, tiny_checkpoint, size):
    """As `predict_proba` reads them, whatever their size."""
    (tmp_path / "faces" / "happy").mkdir(parents=True)
    pictures = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "faces" / "happy" / f"{number}.png")
    classifier = load_classifier("tiny", engine="torch")
    _, _, probabilities = evaluate_folder(tmp_path / "faces", "tiny")
    np.testing.assert_array_equal(probabilities, classifier.predict_proba(pictures))


def test_pictures_of_several_sizes_keep_their_order(tmp_path):
    (tmp_path / "happy").mkdir()
    for number, side in enumerate((20, 30, 20, 30, 40)):
        Image.new("L", (side, side), number).save(tmp_path / "happy" / f"{number}.png")

    def predict(faces):
        return (np.eye(8, dtype=np.float32) + np.float32(0.01))[faces[:, 0, 0]] / np.float32(1.08)

    _, _, probabilities = evaluate_tree(find_classes(tmp_path), predict, None)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_the_shipped_model_reads_drawn_faces_with_and_without_detection(tmp_path):
    folder = save(tmp_path, happy=("happy", 3), surprise=("surprise", 3), other=("sad", 1))
    for detect in (False, True):
        report, tree, probabilities = evaluate_folder(folder, detect=detect)
        assert (report["n"], report["left_out"], len(tree.ids)) == (6, {"other": 1}, 6)
        assert probabilities.shape == (6, 8)
        assert report["present"]["accuracy"] >= 0.5
