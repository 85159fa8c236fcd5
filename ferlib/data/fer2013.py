"""FER2013's own protocol: seven classes of what a face was meant to show, and every image that has such a label.

Goodfellow et al. 2013 (arXiv 1307.0414) publish 28,709 images for training, 3,589 for the public test (valid here) and
3,589 for the private test (test here). Images whose FER+ votes are unusable count like all others. How many of them a
data folder has depends on its form: Kaggle's csv has all, the FER+ folders leave out those without a name in FER+.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferlib.data import kaggle_csv, label_files
from ferlib.data.data_set import DataSet
from ferlib.data.ferplus import FerData, make_data
from ferlib.data.labels import EMOTION_OF_MEANT, EMOTIONS, MEANT_EMOTIONS
from ferlib.data.readers import SPLITS
from ferlib.data.votes import hard_labels

SPLIT_SIZES = {"train": 28_709, "valid": 3_589, "test": 3_589}
"""Images of each split in FER2013 (Goodfellow et al. 2013)."""


def load_fer2013(data_set: DataSet) -> FerData:
    """Load all three splits of FER2013: every image that has a label of FER2013 here.

    Kaggle's csv gives its images without a name in FER+, too, under the id ``kaggle`` and the number of their row.

    Args:
        data_set: the open data set.

    Raises:
        FerlibError: a row of Kaggle's csv cannot be read.
    """
    data, folder = data_set.all_splits, data_set.folder
    if folder is not None and folder.form == "kaggle csv":
        data = _with_unnamed(data, folder.path)
    return data.where(data.meant >= 0)


def labelled(data: FerData) -> dict[str, int]:
    """Count the images of each split that have a label of FER2013; `SPLIT_SIZES` has how many there are.

    Args:
        data: any rows.
    """
    return {split: int((data.meant[data.split == split] >= 0).sum()) for split in SPLITS}


def counts(data: FerData) -> dict[str, dict[str, int]]:
    """Count the images of each class and split, ``{emotion: {split: images}}``.

    Args:
        data: any rows; those without a label of FER2013 do not count.
    """
    return {
        emotion: {split: int((data.meant[data.split == split] == index).sum()) for split in SPLITS}
        for index, emotion in enumerate(MEANT_EMOTIONS)
    }


@dataclass(frozen=True)
class Agreement:
    """Counts of how often the two label sets name the same emotion.

    Attributes:
        images: images with a label of FER2013 and a majority label of FER+.
        equal: those of them whose two labels are the same.
    """

    images: int
    equal: int

    @property
    def share(self) -> float:
        """Share of the images whose two labels are the same, 0 to 1; NaN without images."""
        return self.equal / self.images if self.images else float("nan")


def agreement(data: FerData) -> Agreement:
    """Compare what was meant with what people see, by the majority label of FER+.

    On FER2013+ with the recovered labels the share is 67.7 % over all three splits and 67.8 % over train and valid.

    Args:
        data: any rows; those without either label do not count.
    """
    table = seen_by_meant(data)
    return Agreement(int(table.sum()), int(table[np.arange(len(MEANT_EMOTIONS)), EMOTION_OF_MEANT].sum()))


def seen_by_meant(data: FerData) -> np.ndarray:
    """Count the images of each pair of labels, what was meant by what people see.

    Args:
        data: any rows; those without a label of FER2013 or without a majority label of FER+ do not count.

    Returns:
        (7, 8) int64: rows in the order of `labels.MEANT_EMOTIONS`, columns in that of `labels.EMOTIONS`.
    """
    seen, meant = hard_labels(data.votes), data.meant.astype(np.int64)
    both = (seen >= 0) & (meant >= 0)
    pairs = meant[both] * len(EMOTIONS) + seen[both]
    return np.bincount(pairs, minlength=len(MEANT_EMOTIONS) * len(EMOTIONS)).reshape(-1, len(EMOTIONS))


def _with_unnamed(data: FerData, folder: Path) -> FerData:
    """Add the rows of Kaggle's csv that FER+ does not name, most of which its taggers call no face."""
    entries = label_files.read_fer2013new(folder / "fer2013new.csv")
    named = {entry.row for entry in label_files.by_name(entries)[0].values()}
    rows = kaggle_csv.read_matched(folder / "fer2013.csv", entries)
    unnamed = [entry for entry in entries if entry.row not in named]
    if not unnamed:
        return data
    return make_data(
        [*data.ids, *(f"kaggle{entry.row:07d}" for entry in unnamed)],
        np.concatenate([data.images, [kaggle_csv.to_image(rows[entry.row][1], entry.row + 2) for entry in unnamed]]),
        np.concatenate([data.votes, [entry.votes for entry in unnamed]]),
        [*data.split, *(entry.split for entry in unnamed)],
        data.source, data.problems,
        meant=np.concatenate([data.meant, [kaggle_csv.to_meant(rows[e.row][0], e.row + 2) for e in unnamed]]),
    )  # fmt: skip
