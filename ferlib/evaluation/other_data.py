"""A model on another data set: any tree with one folder a class, such as CK+48, RAF-DB or AffectNet unpacked.

The folders' names are mapped to our emotions (`labels.emotion_of_folder`); numbered folders need the name of the data
set whose numbering they follow. What has no counterpart is named and left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ferlib.data.labels import EMOTIONS, INDEX, emotion_of_folder
from ferlib.errors import FerlibError
from ferlib.evaluation.scores import score
from ferlib.faces.pictures import find_pictures, load_picture

NUMBERED = {
    "rafdb": {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral"},
    "affectnet": {"0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
                  "7": "contempt"},
    "fer2013": {"0": "angry", "1": "disgust", "2": "fear", "3": "happy", "4": "sad", "5": "surprise", "6": "neutral"},
}  # fmt: skip
"""What numbered folders mean, from each data set's own documentation."""

_BATCH = 256  # pictures in memory at once
_SIDE = 112  # pixels; pictures are brought to this size before the preprocessing, which makes them smaller


@dataclass(frozen=True, eq=False)
class ClassTree:
    """The pictures of a tree with one folder a class.

    Attributes:
        files: paths of the pictures; ids: (N,) the same relative to the tree, with forward slashes.
        labels: (N,) class indices.
        left_out: folders with pictures that name none of our emotions -> how many pictures.
    """

    files: list[Path]
    ids: np.ndarray
    labels: np.ndarray
    left_out: dict[str, int]

    def only(self, kept: np.ndarray) -> "ClassTree":
        """The tree with those pictures for which the (N,) bool `kept` is True."""
        files = [path for path, keep in zip(self.files, kept, strict=True) if keep]
        return replace(self, files=files, ids=self.ids[kept], labels=self.labels[kept])


def find_classes(folder: Path, numbering: str | None = None) -> ClassTree:
    """Every picture below `folder` with the emotion of the nearest folder above it that names one.

    Args:
        folder: for example with ``test/3_happy/x.jpg`` or ``happy/x.jpg`` in it.
        numbering: a key of `NUMBERED`, for folders that are called ``1``, ``2`` and so on.

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
    for path in find_pictures(folder):
        above = path.relative_to(folder).parts[:-1]
        emotion = next(filter(None, (_emotion(name, numbering) for name in reversed(above))), None)
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
    return ClassTree(files, ids, np.array(labels, np.int64), left_out)


def evaluate_tree(
    tree: ClassTree, predict: Callable[[np.ndarray], np.ndarray], find: Callable[[np.ndarray], np.ndarray | None] | None
) -> tuple[dict, ClassTree, np.ndarray]:
    """Scores of a model on a class tree, the tree as far as it could be read, and its (N, 8) probabilities.

    Args:
        tree: of `find_classes`.
        predict: (N, S, S, 3) uint8 RGB or (N, S, S) grey faces -> (N, 8) probabilities.
        find: picture -> its face as the live path crops it, or None when there is none, which counts as wrong. None:
            the pictures are faces already, and are only brought to one size.

    Returns:
        ``n``, ``classes`` present, and ``scores`` twice (`Scores.to_dict`): ``eight`` with all eight emotions allowed,
        ``present`` with the probabilities of the absent ones set to zero; ``not_found`` pictures without a face;
        ``left_out`` folders; ``unreadable`` sentences. A picture without a face counts as a wrong answer under both,
        one that cannot be read does not count.

    Raises:
        FerlibError: no picture can be read.
    """
    unreadable: dict[int, str] = {}
    probabilities = np.zeros((len(tree.files), len(EMOTIONS)), np.float32)
    missed = np.ones(len(tree.files), bool)
    starts = range(0, len(tree.files), _BATCH)
    for start in tqdm(starts, unit="batch", leave=False, disable=None):  # None: only where a terminal shows it
        faces: list[np.ndarray | None] = []
        for number, path in enumerate(tree.files[start : start + _BATCH], start):
            try:
                faces.append(_face(path, find))
            except FerlibError as error:
                unreadable[number] = str(error)
                faces.append(None)
        places = [start + place for place, face in enumerate(faces) if face is not None]
        if places:
            probabilities[places] = predict(np.stack([face for face in faces if face is not None]))
            missed[places] = False
    if len(unreadable) == len(tree.files):
        raise FerlibError(f"no picture of the tree can be read; the first one: {unreadable[0]}")
    kept = ~np.isin(np.arange(len(tree.files)), list(unreadable))
    tree, probabilities, missed = tree.only(kept), probabilities[kept], missed[kept]
    present = np.unique(tree.labels)
    allowed = np.isin(np.arange(len(EMOTIONS)), present)
    found = {
        "n": len(tree.files), "classes": [EMOTIONS[index] for index in present], "not_found": int(missed.sum()),
        "left_out": tree.left_out, "unreadable": list(unreadable.values()),
        "eight": score(_wrong(probabilities, tree.labels, missed), tree.labels).to_dict(),
        "present": score(_wrong(probabilities * allowed, tree.labels, missed), tree.labels).to_dict(),
    }  # fmt: skip
    return found, tree, _wrong(probabilities, tree.labels, missed)


def render_tree(found: dict) -> str:
    """`evaluate_folder`'s result as a few lines for people."""
    lines = [f"{found['model']} on {found['folder']}: {found['n']:,} pictures of {', '.join(found['classes'])}"]
    for title, key in (("all eight allowed", "eight"), ("only these allowed", "present")):
        row = found[key]
        low, high = row["accuracy_interval"]
        lines.append(
            f"  {title:<19} accuracy {row['accuracy']:.2%} (95 % {low:.2%} to {high:.2%})   "
            f"macro-F1 {row['macro_f1']:.3f}"
        )
    for emotion in found["classes"]:
        row = found["present"]["per_class"][emotion]
        lines.append(f"    {emotion:<9} recall {row['recall']:.2%} of {row['support']:,}")
    if found["not_found"]:
        lines.append(f"  no face found in {found['not_found']:,} pictures, which count as wrong")
    lines += [f"  left out: {sentence}" for sentence in found["unreadable"]]
    if found["left_out"]:
        told = ", ".join(f"{folder} ({count:,})" for folder, count in found["left_out"].items())
        lines.append(f"  left out, no emotion of ours: {told}")
    return "\n".join(lines)


def evaluate_folder(
    folder: Path, model: str | None = None, *, numbering: str | None = None, detect: bool = False
) -> tuple[dict, ClassTree, np.ndarray]:
    """`evaluate_tree` of a shipped model, with the tree and the probabilities.

    With `detect` the pictures go through the camera's detector and crop; of several faces the largest counts.
    """
    from ferlib.inference.loading import load_classifier

    tree, classifier = find_classes(folder, numbering), load_classifier(model, engine="torch")
    find = _finder() if detect else None
    found, tree, probabilities = evaluate_tree(tree, classifier.predict_proba, find)
    return {"model": classifier.name, "folder": folder.name, "detect": detect, **found}, tree, probabilities


def _finder() -> Callable[[np.ndarray], np.ndarray | None]:
    from ferlib.faces.cropping import crop_face
    from ferlib.faces.detector import FaceDetector

    detector = FaceDetector()

    def largest(picture: np.ndarray) -> np.ndarray | None:
        found = detector(picture)
        area = [(one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) for one in found]
        return crop_face(picture, found[int(np.argmax(area))]) if found else None

    return largest


def _face(path: Path, find: Callable[[np.ndarray], np.ndarray | None] | None) -> np.ndarray | None:
    picture = load_picture(path)
    return cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) if find is None else find(picture)


def _emotion(folder: str, numbering: str | None) -> str | None:
    if numbering is not None and folder in NUMBERED[numbering]:
        return NUMBERED[numbering][folder]
    return emotion_of_folder(folder)


def _wrong(probabilities: np.ndarray, labels: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Missed rows name a class that is not theirs, so that they count as errors: the next one in class order."""
    return np.where(missed[:, None], np.eye(len(EMOTIONS))[(labels + 1) % len(EMOTIONS)], probabilities)
