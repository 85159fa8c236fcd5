"""FER2013+ in memory: ids, 48x48 images, ten-tagger votes and split, from whatever form it has on disk.

`load_train_valid` is what training and every choice uses: its result holds no row of the test split. `load_all` adds
the test split; only the rooms `data` (to find copies and to check the data) and `publishing` (to score a published
model on test) may name it, and a test in the suite keeps that true. Code that needs more than one of train and valid,
manifest and test opens the data once with `data_set.open_data_set`.
"""

import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ferlib import paths
from ferlib.data import emotions_csv, readers
from ferlib.data.labels import MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, sha256, write_json

LABEL_FILES = ("label.csv", "fer2013new.csv")

_ID_LENGTH = 40
_ROW = np.dtype(
    [("id", f"U{_ID_LENGTH}"), ("split", "U5"), ("votes", "u1", (10,)), ("image", "u1", (48, 48)), ("meant", "i1")]
)


@dataclass(frozen=True, eq=False)
class FerData:
    """A set of labelled faces.

    Attributes:
        ids: (N,) names, for FER2013 ``fer0000000`` where the number is the row of Kaggle's file.
        images: (N, 48, 48) uint8, grey.
        votes: (N, 10) uint8, the taggers' votes in the order of `labels.VOTE_COLUMNS`.
        split: (N,) ``"train"``, ``"valid"`` or ``"test"``.
        meant: (N,) int8, FER2013's own label as an index into `labels.MEANT_EMOTIONS`; -1 where the image has none.
        source: form and label file that it was read from, for people.
        content_hash: hex SHA-256 of ids, splits, votes and images, the same for every form of the same data; the
            labels in `meant` do not change it.
        meant_hash: hex SHA-256 of ids and `meant`.
        problems: sentences about faults that do not keep the data from being used.
    """

    ids: np.ndarray
    images: np.ndarray
    votes: np.ndarray
    split: np.ndarray
    meant: np.ndarray
    source: str
    content_hash: str
    meant_hash: str
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, mask: np.ndarray) -> "FerData":
        """Select rows; the two hashes stay those of all rows.

        Args:
            mask: (N,) bool, or indices in any order.
        """
        return FerData(
            self.ids[mask], self.images[mask], self.votes[mask], self.split[mask], self.meant[mask],
            self.source, self.content_hash, self.meant_hash, self.problems,
        )  # fmt: skip

    def without_test(self) -> "FerData":
        """Select the rows of train and valid; the two hashes stay those of all rows."""
        return self.where(self.split != "test")


def make_data(ids, images, votes, split, source: str, problems: tuple[str, ...] = (), *, meant=None) -> FerData:
    """Build a `FerData` from arrays, sorted by split and id, with its hashes.

    Args:
        ids: (N,) names, each at most 40 characters long and there once.
        images: (N, 48, 48) uint8.
        votes: (N, 10) uint8.
        split: (N,) ``"train"``, ``"valid"`` or ``"test"``.
        source: form and label file, for people.
        problems: sentences about faults.
        meant: (N,) indices into `labels.MEANT_EMOTIONS`, -1 where an image has no such label; None means all -1.

    Raises:
        FerlibError: two images of one name, or a name that is too long.
        ValueError: an index outside -1..6.
    """
    _check_ids(ids)
    meant = np.full(len(ids), -1, dtype=np.int8) if meant is None else np.asarray(meant)
    if ((meant < -1) | (meant >= len(MEANT_EMOTIONS))).any():
        raise ValueError(f"meant must be from -1 to {len(MEANT_EMOTIONS) - 1}")
    rows = np.empty(len(ids), dtype=_ROW)
    rows["id"], rows["split"], rows["votes"], rows["image"], rows["meant"] = ids, split, votes, images, meant
    order = np.lexsort((rows["id"], np.array([readers.SPLITS.index(name) for name in rows["split"]])))
    return _from_rows(rows[order], source, problems)


def _check_ids(ids) -> None:
    """Refuse equal and overlong names: manifests and predictions tell images apart by their names alone."""
    too_long = next((name for name in ids if len(name) > _ID_LENGTH), None)
    if too_long:
        raise FerlibError(f"the image name {str(too_long)!r} is longer than {_ID_LENGTH} characters; rename the file.")
    repeated = next((name for name, count in Counter(map(str, ids)).items() if count > 1), None)
    if repeated:
        raise FerlibError(f"two images are named {repeated!r}; rename one of them.")


@dataclass(frozen=True, eq=False)
class DataFolder:
    """A folder that holds FER2013+, each of whose files is hashed at most once.

    Attributes:
        path: the folder.
        form: form of the data in it, as `readers.detect_form` calls it.
        emotions: csv file with FER2013's own labels, None when there is none; see `emotions_csv`.
    """

    path: Path
    form: str
    emotions: Path | None = None
    _digests: dict[Path, bytes] = field(default_factory=dict, repr=False)

    def load_all(self, labels: str = "label.csv") -> FerData:
        """Load all three splits, from the cache when the files have not changed.

        Args:
            labels: ``"label.csv"`` (the default protocol) or ``"fer2013new.csv"``.

        Raises:
            FerlibError: the label file is unknown, or the data cannot be used.
        """
        if labels not in LABEL_FILES:
            raise FerlibError(f"unknown label file {labels!r}; choose one of {', '.join(LABEL_FILES)}.")
        cached = paths.PROCESSED / f"ferplus-{self._cache_key(labels)[:16]}.npy"
        data = _open_cache(cached)
        return data if data is not None else _read_and_cache(self, labels, cached)

    def _cache_key(self, labels: str) -> str:
        """SHA-256 over the names and bytes of the source files; of ``emotions.csv`` over the bytes alone."""
        digest = hashlib.sha256(f"{_ROW}|{self.form}|{labels}".encode())
        for path in readers.source_files(self.path, self.form, labels):
            digest.update(path.relative_to(self.path).as_posix().encode() + b"\0" + self._digest(path))
        if self.emotions is not None:
            digest.update(emotions_csv.FILE_NAME.encode() + b"\0" + self._digest(self.emotions))
        return digest.hexdigest()

    def _digest(self, path: Path) -> bytes:
        if path not in self._digests:
            self._digests[path] = bytes.fromhex(sha256(path))
        return self._digests[path]


def open_folder(root: str | Path | None = None, emotions: str | Path | None = None) -> DataFolder:
    """Recognise the form of the data in a folder.

    Args:
        root: the data folder; None means `paths.data_root()`.
        emotions: csv file with FER2013's own labels; None means the one that `emotions_csv.find_emotions` finds.

    Raises:
        FerlibError: no folder, no known form of the data in it, or no such csv file.
    """
    root = paths.data_root() if root is None else Path(root)
    if not root.is_dir():
        raise FerlibError(f"{str(root)!r} is not a folder; name the folder that holds FER2013+.")
    form = readers.detect_form(root)
    if emotions is None:
        return DataFolder(root, form, emotions_csv.find_emotions(root))
    if not Path(emotions).is_file():
        raise FerlibError(f"{str(emotions)!r} is not a file; name the emotions.csv with FER2013's own labels.")
    return DataFolder(root, form, Path(emotions))


def load_train_valid(root: str | Path | None = None, labels: str = "label.csv") -> FerData:
    """Load train and valid, without any image or vote of test.

    Args:
        root: the data folder; None means `paths.data_root()`.
        labels: ``"label.csv"`` (the default protocol) or ``"fer2013new.csv"``.

    Raises:
        FerlibError: no data, or data that cannot be used.
    """
    return load_all(root, labels).without_test()


def load_all(root: str | Path | None = None, labels: str = "label.csv") -> FerData:
    """Load all three splits, from the cache when the files have not changed.

    Args:
        root: the data folder; None means `paths.data_root()`.
        labels: ``"label.csv"`` (the default protocol) or ``"fer2013new.csv"``.

    Raises:
        FerlibError: no data, or data that cannot be used; the sentence says what to do.
    """
    return open_folder(root).load_all(labels)


def _open_cache(path: Path) -> FerData | None:
    """Open the cached rows, memory-mapped; None when the cache is absent or damaged."""
    try:
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data = _from_rows(np.load(path, mmap_mode="r"), about["source"], tuple(about["problems"]))
        hashes = about["content_hash"], about["meant_hash"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):  # absent, or damaged in any of many ways
        return None
    return data if (data.content_hash, data.meant_hash) == hashes else None


def _read_and_cache(folder: DataFolder, labels: str, cached: Path) -> FerData:
    rows, form = readers.read(folder.path, folder.form, labels), folder.form
    if not rows.ids:
        raise FerlibError(f"{folder.path.name!r} ({form}) holds no labelled image; check it with 'ferlib data check'.")
    if folder.emotions is not None:
        emotions_csv.add_emotions(rows, folder.emotions)
    source = f"{form}, {rows.labels}" if rows.labels else form
    problems = tuple(rows.problems)
    data = make_data(rows.ids, rows.images, rows.votes, rows.splits, source, problems, meant=rows.meant)
    about = {name: getattr(data, name) for name in ("source", "content_hash", "meant_hash")}
    about["problems"] = list(data.problems)
    with suppress(OSError):  # a read-only checkout works without a cache
        with atomic_path(cached) as temporary:
            np.save(temporary, _to_rows(data))
        write_json(cached.with_suffix(".json"), about)
    return data


def _to_rows(data: FerData) -> np.ndarray:
    rows = np.empty(len(data), dtype=_ROW)
    rows["id"], rows["split"], rows["votes"], rows["image"] = data.ids, data.split, data.votes, data.images
    rows["meant"] = data.meant
    return rows


def _from_rows(rows: np.ndarray, source: str, problems: tuple[str, ...]) -> FerData:
    return FerData(
        rows["id"], rows["image"], rows["votes"], rows["split"], rows["meant"], source,
        _hash_fields(rows, ("id", "split", "votes", "image")), _hash_fields(rows, ("id", "meant")), problems,
    )  # fmt: skip


def _hash_fields(rows: np.ndarray, names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(np.ascontiguousarray(rows[name]).tobytes())
    return digest.hexdigest()
