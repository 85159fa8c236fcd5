"""Evaluation on another data set: any tree with one folder a class, such as CK+48, RAF-DB or AffectNet unpacked.

The folders' names are mapped to our emotions (`labels.emotion_of_folder`); numbered folders need the name of the data
set whose numbering they follow. Folders without a counterpart are reported and left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ferlib.data.labels import EMOTIONS, INDEX, emotion_of_folder
from ferlib.errors import FerlibError
from ferlib.evaluation.scores import score_predictions
from ferlib.faces.left_out import LeftOut
from ferlib.faces.pictures import find_pictures, load_picture
from ferlib.format import share_with_interval
from ferlib.models.preprocessing import FACE_SIZE, to_grey
from ferlib.text import printable

NUMBERED = {
    "rafdb": {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral"},
    "affectnet": {"0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
                  "7": "contempt"},
    "fer2013": {"0": "angry", "1": "disgust", "2": "fear", "3": "happy", "4": "sad", "5": "surprise", "6": "neutral"},
}  # fmt: skip
"""Emotions of numbered folders, from each data set's own documentation."""

_BATCH_PICTURES = 256
_BATCH_PIXELS = 50_000_000  # a batch ends behind the picture that reaches it


@dataclass(frozen=True, eq=False)
class ClassTree:
    """Pictures of a tree with one folder a class.

    Attributes:
        files: paths of the pictures.
        ids: (N,) paths relative to the tree, with forward slashes.
        labels: (N,) class indices.
        left_out: number of pictures in each folder that names none of our emotions.
        other_files: files that are left out because they are no pictures that can be read, "" for none.
    """

    files: list[Path]
    ids: np.ndarray
    labels: np.ndarray
    left_out: dict[str, int]
    other_files: str = ""

    def select(self, mask: np.ndarray) -> "ClassTree":
        """Select pictures by a (N,) bool mask."""
        files = [path for path, selected in zip(self.files, mask, strict=True) if selected]
        return replace(self, files=files, ids=self.ids[mask], labels=self.labels[mask])


def find_classes(folder: Path, numbering: str | None = None) -> ClassTree:
    """Find every picture of a tree with the emotion of the nearest folder above it that names one.

    Args:
        folder: root of the tree, with files such as ``test/3_happy/x.jpg`` or ``happy/x.jpg``.
        numbering: key of `NUMBERED`, for folders that are called ``1``, ``2`` and so on.

    Raises:
        FerlibError: no such folder, no pictures, or no folder that names an emotion.
    """
    if not folder.is_dir():
        raise FerlibError(f"{folder} is not a folder; name one that holds a folder for each class.")
    if numbering is not None and numbering not in NUMBERED:
        raise FerlibError(f"there is no numbering {numbering!r}; choose one of {', '.join(NUMBERED)}.")
    files: list[Path] = []
    labels: list[int] = []
    left_out: dict[str, int] = {}
    others = LeftOut()
    for path in find_pictures(folder, left_out=others):
        above = path.relative_to(folder).parts[:-1]
        emotion = next(filter(None, (_emotion_of(name, numbering) for name in reversed(above))), None)
        if emotion is None:
            name = "/".join(above) or "."
            left_out[name] = left_out.get(name, 0) + 1
        else:
            files.append(path)
            labels.append(INDEX[emotion])
    if not files:
        numbered = all(name.split("/")[-1].isdigit() for name in left_out)
        advice = f"say --numbering {'|'.join(NUMBERED)}" if numbered else f"name them like {', '.join(EMOTIONS[:3])}"
        raise FerlibError(f"no folder in {folder.name!r} names an emotion; {advice}.")
    ids = np.array([path.relative_to(folder).as_posix() for path in files])
    return ClassTree(files, ids, np.array(labels, np.int64), left_out, others.summary())


def evaluate_tree(
    tree: ClassTree, predict: Callable[[np.ndarray], np.ndarray], find: Callable[[np.ndarray], np.ndarray | None] | None
) -> tuple[dict, ClassTree, np.ndarray]:
    """Score a model on a class tree.

    A picture without a face counts as a wrong answer; one that cannot be read does not count.

    Args:
        tree: pictures and their classes, from `find_classes`.
        predict: (N, H, W) uint8 grey faces -> (N, 8) probabilities; it scales the faces itself.
        find: picture -> its face as the live path crops it, or None where there is none. None for pictures that are
            faces already, which are given to `predict` pixel by pixel.

    Returns:
        The report, the tree without unreadable pictures, and its (N, 8) probabilities. The JSON-ready report has
        ``n``, the ``classes`` present, `Scores.to_dict` under ``eight`` (all eight emotions allowed) and ``present``
        (the probabilities of absent emotions set to zero), the number of faces ``not_found``, the folders
        ``left_out``, the ``other_files`` that are no pictures, and a sentence for each picture that is ``unreadable``.

    Raises:
        FerlibError: no picture can be read.
    """
    unreadable: dict[int, str] = {}
    probabilities = np.zeros((len(tree.files), len(EMOTIONS)), np.float32)
    missed = np.ones(len(tree.files), bool)
    for faces in _batches(tree.files, find, unreadable):
        for shape in dict.fromkeys(face.shape for face in faces.values()):
            numbers = [number for number, face in faces.items() if face.shape == shape]
            probabilities[numbers] = predict(np.stack([faces[number] for number in numbers]))
            missed[numbers] = False
    if len(unreadable) == len(tree.files):
        raise FerlibError(f"no picture of the tree can be read; the first one: {unreadable[0]}")
    readable = ~np.isin(np.arange(len(tree.files)), list(unreadable))
    tree, probabilities, missed = tree.select(readable), probabilities[readable], missed[readable]
    present = np.unique(tree.labels)
    allowed = np.isin(np.arange(len(EMOTIONS)), present)
    report = {
        "n": len(tree.files), "classes": [EMOTIONS[index] for index in present], "not_found": int(missed.sum()),
        "left_out": tree.left_out, "other_files": tree.other_files, "unreadable": list(unreadable.values()),
        "eight": score_predictions(_miss(probabilities, tree.labels, missed), tree.labels).to_dict(),
        "present": score_predictions(_miss(probabilities * allowed, tree.labels, missed), tree.labels).to_dict(),
    }  # fmt: skip
    return report, tree, _miss(probabilities, tree.labels, missed)


def render_tree(report: dict) -> str:
    """Render the report of `evaluate_folder` as a few lines for people."""
    lines = [f"{report['model']} on {report['folder']}: {report['n']:,} pictures of {', '.join(report['classes'])}"]
    for title, key in (("all eight allowed", "eight"), ("only these allowed", "present")):
        row = report[key]
        accuracy = share_with_interval(row["accuracy"], row["accuracy_interval"])
        lines.append(f"  {title:<19} accuracy {accuracy}   macro-F1 {row['macro_f1']:.3f}")
    for emotion in report["classes"]:
        row = report["present"]["per_class"][emotion]
        lines.append(f"    {emotion:<9} recall {row['recall']:.2%} of {row['support']:,}")
    if report["not_found"]:
        lines.append(f"  no face found in {report['not_found']:,} pictures, which count as wrong")
    lines += [f"  left out: {sentence}" for sentence in report["unreadable"]]
    if report["left_out"]:
        folders = ", ".join(f"{folder} ({count:,})" for folder, count in report["left_out"].items())
        lines.append(f"  left out, no emotion of ours: {folders}")
    if report["other_files"]:
        lines.append(f"  left out, no picture that can be read: {report['other_files']}")
    return "\n".join(map(printable, lines))


def evaluate_folder(
    folder: Path, model: str | None = None, *, numbering: str | None = None, detect: bool = False
) -> tuple[dict, ClassTree, np.ndarray]:
    """Score a shipped model on a folder with one folder a class.

    Args:
        folder: root of the tree.
        model: name of the model; None for the shipped default.
        numbering: as in `find_classes`.
        detect: whether the pictures go through the camera's detector and crop; of several faces the largest counts.

    Returns:
        As `evaluate_tree`; the report also has ``model``, ``folder`` and ``detect``.

    Raises:
        FerlibError: as `find_classes` and `evaluate_tree`, or no such model.
    """
    from ferlib.inference.loading import load_classifier

    tree, classifier = find_classes(folder, numbering), load_classifier(model, engine="torch")
    find = _largest_face_finder() if detect else None
    report, tree, probabilities = evaluate_tree(tree, classifier.predict_proba, find)
    return {"model": classifier.name, "folder": folder.name, "detect": detect, **report}, tree, probabilities


def _largest_face_finder() -> Callable[[np.ndarray], np.ndarray | None]:
    from ferlib.faces.cropping import crop_face
    from ferlib.faces.detector import FaceDetector

    detector = FaceDetector()

    def largest(picture: np.ndarray) -> np.ndarray | None:
        detections = detector.search(picture)
        if not detections:
            return None
        areas = [(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in detections]
        return crop_face(picture, detections[int(np.argmax(areas))], size=FACE_SIZE)

    return largest


def _batches(
    files: list[Path], find: Callable[[np.ndarray], np.ndarray | None] | None, unreadable: dict[int, str]
) -> Iterator[dict[int, np.ndarray]]:
    """Grey faces by the number of their picture, some pictures at a time; sentences go into `unreadable`."""
    faces: dict[int, np.ndarray] = {}
    for number, path in enumerate(tqdm(files, unit="picture", leave=False, disable=None)):  # None: on terminals alone
        try:
            face = _load_face(path, find)
        except FerlibError as error:
            unreadable[number] = str(error)
            continue
        if face is not None:
            faces[number] = face
        if len(faces) >= _BATCH_PICTURES or sum(face.size for face in faces.values()) >= _BATCH_PIXELS:
            yield faces
            faces = {}
    yield faces


def _load_face(path: Path, find: Callable[[np.ndarray], np.ndarray | None] | None) -> np.ndarray | None:
    picture = load_picture(path, lambda _: None)
    return to_grey(picture[None])[0] if find is None else find(picture)


def _emotion_of(folder: str, numbering: str | None) -> str | None:
    if numbering is not None and folder in NUMBERED[numbering]:
        return NUMBERED[numbering][folder]
    return emotion_of_folder(folder)


def _miss(probabilities: np.ndarray, labels: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Let missed rows predict the next class after their own, so that they count as errors."""
    return np.where(missed[:, None], np.eye(len(EMOTIONS))[(labels + 1) % len(EMOTIONS)], probabilities)
