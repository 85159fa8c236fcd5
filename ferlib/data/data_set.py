"""A data set that is opened and hashed once, and then passed from function to function.

`DataSet.train_valid` and `DataSet.manifest` are for everybody. `DataSet.all_splits` holds the test split: only the
rooms `data` and `publishing` may name it, and a test in the suite keeps that true.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ferlib.data.cleaning import load_manifest
from ferlib.data.ferplus import LABEL_FILES, DataFolder, FerData, open_folder
from ferlib.errors import FerlibError


@dataclass(frozen=True, eq=False)
class DataSet:
    """An open data set.

    Attributes:
        all_splits: train, valid and test, for the rooms `data` and `publishing` only.
        folder: the folder it was read from, whose files are hashed; None for data made in memory.
        manifest_version: version of the search for copies that `manifest` tells of.
    """

    all_splits: FerData
    folder: DataFolder | None = None
    manifest_version: int = 1

    @property
    def source(self) -> str:
        """Form of the data and name of its label file, as in `FerData.source`."""
        return self.all_splits.source

    @property
    def content_hash(self) -> str:
        """Hex SHA-256 of all splits, as in `FerData.content_hash`."""
        return self.all_splits.content_hash

    @cached_property
    def train_valid(self) -> FerData:
        """Rows of train and valid; no image or vote of test."""
        return self.all_splits.without_test()

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """Manifest of the copies in all splits; see `cleaning.build_manifest` for the columns.

        It needs all splits, since a training image may sit in test too. Of a test image it says only which images it
        is a copy of, and its label; training takes only the column `kept` of the train rows.
        """
        return load_manifest(self.all_splits, self.manifest_version)

    @cached_property
    def by_label_file(self) -> dict[str, "DataSet"]:
        """The same images with the votes of each label file that the data has, by the label file's name.

        No file is hashed again. Data without label files has one entry, named after its form.
        """
        data_sets = {self.label_file: self}
        if self.folder is None:
            return data_sets
        for name in LABEL_FILES:
            if name not in data_sets:
                with suppress(FerlibError):  # a data set may lack one of the two
                    other = DataSet(self.folder.load_all(name), self.folder, self.manifest_version)
                    data_sets.setdefault(other.label_file, other)
        return data_sets

    @property
    def label_file(self) -> str:
        """Name of the label file whose votes the data has; the form's name when it has no label file."""
        return self.source.rsplit(", ", 1)[-1]


def open_data_set(
    root: str | Path | None = None, labels: str = "label.csv", emotions: str | Path | None = None,
    manifest_version: int = 1,
) -> DataSet:  # fmt: skip
    """Open a data folder: read (or take from the cache) and hash its files once.

    Args:
        root: the data folder; None means `paths.data_root()`.
        labels: ``"label.csv"`` (the default protocol) or ``"fer2013new.csv"``.
        emotions: csv file with FER2013's own labels; None means the one that `emotions_csv.find_emotions` finds.
        manifest_version: version of the search for copies; see `copies`.

    Raises:
        FerlibError: no data, or data that cannot be used; the sentence says what to do.
    """
    folder = open_folder(root, emotions)
    return DataSet(folder.load_all(labels), folder, manifest_version)
