"""Rows of a data folder, as the readers collect them."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ferlib.data.kaggle_csv import IMAGE_SIZE
from ferlib.errors import FerlibError


@dataclass
class Rows:
    """Rows of a data folder, as parallel lists.

    Attributes:
        ids: names of the images.
        images: (48, 48) uint8 each, grey.
        votes: (10,) uint8 each.
        splits: ``"train"``, ``"valid"`` or ``"test"``.
        meant: FER2013's own labels, indices into `labels.MEANT_EMOTIONS`; -1 where an image has none.
        problems: sentences about faults that do not keep the data from being used.
        labels: name of the label file that was read, "" for class folders.
    """

    ids: list[str] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    votes: list[np.ndarray] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    meant: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    labels: str = ""

    def add(self, name: str, image: np.ndarray, votes: np.ndarray, split: str, meant: int = -1) -> None:
        """Append one image.

        Args:
            name: its id.
            image: (48, 48) uint8.
            votes: (10,) uint8.
            split: ``"train"``, ``"valid"`` or ``"test"``.
            meant: index into `labels.MEANT_EMOTIONS`; -1 for no label.
        """
        self.ids.append(name)
        self.images.append(image)
        self.votes.append(votes)
        self.splits.append(split)
        self.meant.append(meant)


def is_image(path: Path, suffixes: set[str]) -> bool:
    """Tell whether a file is an image by its name; hidden files are none.

    macOS leaves ``._name.png`` beside ``name.png`` on disks of other systems.

    Args:
        path: the file.
        suffixes: suffixes of images, in lower case.
    """
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def decode_grey(data: bytes, where: str, rows: Rows) -> np.ndarray:
    """Decode a picture as grey; other sizes than 48x48 are resized (area), and noted once among the problems.

    Args:
        data: content of the file.
        where: name of the file, for sentences.
        rows: rows whose problems get the note.

    Returns:
        (48, 48) uint8.

    Raises:
        FerlibError: the content is no picture.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise FerlibError(f"{where} is not a readable picture; get the file again.")
    if image.shape != (IMAGE_SIZE, IMAGE_SIZE):
        note = f"pictures that are not {IMAGE_SIZE}x{IMAGE_SIZE} were resized (first: {where})"
        if not any(problem.startswith("pictures that are not") for problem in rows.problems):
            rows.problems.append(note)
        image = cv2.resize(image, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return image
