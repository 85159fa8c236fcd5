"""Fetch FER2013+: the FER+ label files from their repository, the images from Kaggle, which asks for a login.

Files that are there already are not fetched again, and an interrupted download goes on where it stopped. The result
has the form that `readers` calls "kaggle csv". The images may be used for research only, and Kaggle asks everyone to
accept the competition's rules, so nothing here goes around that login.
"""

import csv
import errno
import importlib
import shutil
import tarfile
import urllib.request
import zlib
from collections import Counter
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from types import ModuleType

from ferlib import paths
from ferlib.data import kaggle_csv, readers
from ferlib.data.download import Opener, download, text_digest
from ferlib.errors import FerlibError
from ferlib.files import atomic_path

REPOSITORY = "https://raw.githubusercontent.com/microsoft/FERPlus/master/"

LABEL_DOWNLOADS = {
    "fer2013new.csv": ("fer2013new.csv", "9206e20d62f56475939f516847d61753e4860caeac9718b560129541b776fc2c"),
    "FER2013Train.label.csv": (
        "data/FER2013Train/label.csv",
        "a82c40c825505cd30e139195c246bc38f8ac39de0e8968cbf15e1dab7837658c",
    ),
    "FER2013Valid.label.csv": (
        "data/FER2013Valid/label.csv",
        "aad6298bed23cad816550362c2c00ae49b99513c7cae7d49651f347afd9ab860",
    ),
    "FER2013Test.label.csv": (
        "data/FER2013Test/label.csv",
        "425142295cc23872651271be9f45a99dac11af426f948d1b60967c8845b7bdf2",
    ),
    "LICENSE-FERPlus-labels.md": ("LICENSE.md", "e9d873074f826f2b356b4141cf9c8423b36e257336787600fe4bbe5f5cc2e9fa"),
}
"""Path in the repository and SHA-256 (with LF line ends) of each label file, by the name that it gets.

The hashes are those of the files from which the published counts come. A copy with CRLF line ends, as git makes on
Windows, counts as the same.
"""

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"
"""Kaggle's name of the competition that FER2013 comes from."""

ROWS = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
"""Rows of each usage in Kaggle's file."""

_ARCHIVE, _SECOND_EDITION, _IMAGES = "fer2013.tar.gz", "icml_face_data.csv", "fer2013.csv"


def fetch(
    target: Path | None = None,
    *,
    images: bool = True,
    labels: bool = True,
    progress: bool = True,
    opener: Opener = urllib.request.urlopen,
    kaggle: ModuleType | None = None,
    repository: str = REPOSITORY,
) -> list[Path]:
    """Fetch the label files and ``fer2013.csv`` into a folder.

    Args:
        target: the folder, made when missing; None means ``data/raw``.
        images: fetch the images from Kaggle, unless `target` has them in a form that `readers` knows, or holds
            Kaggle's ``fer2013.tar.gz`` or ``icml_face_data.csv`` to unpack.
        labels: fetch the label files and their licence, checked by SHA-256.
        progress: show a bar on standard error.
        opener: function that opens a request, as `urllib.request.urlopen` does.
        kaggle: the module kagglehub; None means that it is imported when it is needed.
        repository: address under which the label files lie.

    Returns:
        The files that were written.

    Raises:
        FerlibError: no network, a damaged download, no Kaggle login, or rules not accepted. The message ends with
            numbered steps to do the same by hand.
    """
    target = paths.RAW if target is None else Path(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FerlibError(
            f"the folder {_shown(target)} cannot be made ({error.strerror}); name another one."
        ) from error
    written = []
    for name, (remote, digest) in LABEL_DOWNLOADS.items() if labels else ():
        path = target / name
        if path.is_file() and text_digest(path) == digest:
            continue
        try:
            download(repository + remote, path, digest, opener=opener, progress=progress)
        except (OSError, HTTPException) as error:
            if _is_local(error):
                raise FerlibError(_disk_sentence(path, error)) from error
            raise FerlibError(_label_steps(name, target, repository, error)) from error
        written.append(path)
    if images and not _has_images(target):
        written.append(_fetch_images(target, kaggle))
    return written


def _has_images(target: Path) -> bool:
    """Tell whether a folder holds the images as official folders or zips, or as a complete ``fer2013.csv``."""
    folders = readers.OFFICIAL_FOLDERS.values()
    if all((target / name).is_dir() for name in folders) or all((target / f"{name}.zip").is_file() for name in folders):
        return True
    return _is_complete(target / _IMAGES)


def _is_complete(path: Path) -> bool:
    """Tell whether all rows are there; the pixels are checked by their content hash ('ferlib data check')."""
    if not path.is_file():
        return False
    try:
        return Counter(usage for _, _, usage in kaggle_csv.read_rows(path)) == ROWS
    except FerlibError:
        return False


def _fetch_images(target: Path, kaggle: ModuleType | None) -> Path:
    """Write ``fer2013.csv`` from a file that the user put into the folder, or else from Kaggle's download."""
    goal = target / _IMAGES
    for name in (_ARCHIVE, _SECOND_EDITION):
        if (target / name).is_file():
            return _convert(target / name, goal)
    return _convert(_from_kaggle(kaggle or _import_kagglehub(), target), goal)


def _import_kagglehub() -> ModuleType:
    try:
        return importlib.import_module("kagglehub")
    except ImportError as error:
        raise FerlibError(
            "the images come through kagglehub, which is not installed; run 'pip install kagglehub' and then "
            "'ferlib data fetch' again."
        ) from error


def _from_kaggle(kaggle: ModuleType, target: Path) -> Path:
    """Download either of Kaggle's two editions into kagglehub's own cache."""
    try:
        try:
            path = kaggle.competition_download(COMPETITION, path=_ARCHIVE)
        except Exception as error:
            if _status(error) != 404:
                raise
            path = kaggle.competition_download(COMPETITION, path=_SECOND_EDITION)
    except Exception as error:  # kagglehub has no common class for its errors
        raise FerlibError(_kaggle_steps(error, target)) from error
    return Path(path)


def _convert(source: Path, goal: Path) -> Path:
    """Write ``fer2013.csv`` from a ``.tar.gz`` that holds it, or from a csv of either edition.

    Only that file is unpacked, and under the name `goal`, so that no name in the archive matters.
    """
    try:
        with atomic_path(goal) as temporary:
            if tarfile.is_tarfile(source):
                _unpack(source, temporary)
            else:
                _normalise(source, temporary)
            if not _is_complete(temporary):
                raise FerlibError(
                    f"{_shown(source)} does not hold the {sum(ROWS.values()):,} rows of FER2013; delete it, and run "
                    "'ferlib data fetch' again."
                )
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        if _is_local(error):
            raise FerlibError(_disk_sentence(goal, error)) from error
        raise FerlibError(
            f"{_shown(source)} could not be unpacked ({error}); delete it, and run 'ferlib data fetch' again."
        ) from error
    return goal


def _unpack(source: Path, goal: Path) -> None:
    with tarfile.open(source, "r:*") as archive:
        for member in archive:
            if member.isfile() and PurePosixPath(member.name).name == _IMAGES:
                content = archive.extractfile(member)
                assert content is not None  # it is None only for members that are no files
                with content, open(goal, "wb") as handle:
                    shutil.copyfileobj(content, handle)
                return
    raise FerlibError(f"{source.name} holds no {_IMAGES}; get it from Kaggle again.")


def _normalise(source: Path, goal: Path) -> None:
    with open(goal, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(kaggle_csv.KAGGLE_COLUMNS)
        writer.writerows(kaggle_csv.read_rows(source))


def _shown(path: Path) -> str:
    """Format a path as a person would type it: relative to the project when it lies inside."""
    return paths.relative(path) if path.resolve().is_relative_to(paths.ROOT) else str(path)


def _is_local(error: BaseException) -> bool:
    """Tell whether an error comes from the disk, and not from the network or a damaged download."""
    return isinstance(error, OSError) and error.errno in (
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
    )  # fmt: skip


def _disk_sentence(path: Path, error: BaseException) -> str:
    reason = getattr(error, "strerror", None) or error
    advice = "check your rights and the free space, and run 'ferlib data fetch' again"
    return f"{_shown(path)} cannot be written ({reason}); {advice}."


def _status(error: BaseException) -> int | None:
    """HTTP status of an error of requests or kagglehub."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _label_steps(name: str, target: Path, repository: str, error: Exception) -> str:
    files = "\n".join(f"     {repository}{remote}  ->  {local}" for local, (remote, _) in LABEL_DOWNLOADS.items())
    return (
        f"{name} could not be downloaded ({error}); check the connection and run 'ferlib data fetch' again, which goes "
        "on where it stopped. By hand:\n"
        f"  1. Download these files in a browser and save each under the name on the right:\n{files}\n"
        f"  2. Put them into {_shown(target)}.\n"
        "  3. Look at what you have with 'ferlib data check'."
    )


def _kaggle_steps(error: Exception, target: Path) -> str:
    status = _status(error)
    if type(error).__name__ in ("UnauthenticatedError", "CredentialError") or status == 401:
        problem = "Kaggle does not know who you are; log in as step 1 says"
    elif status == 403:
        problem = "Kaggle refused the download, most likely since the competition's rules are not accepted; see step 2"
    else:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        problem = f"the images could not be downloaded from Kaggle ({reason[0]}); check the connection, or see step 3"
    page = f"https://www.kaggle.com/competitions/{COMPETITION}"
    return (
        f"{problem}.\n"
        "  1. Make an account at https://www.kaggle.com, create an API token in its settings, and save the token as\n"
        "     the page says (kaggle.json in the folder .kaggle of your home folder).\n"
        f"  2. Accept the rules at {page}/rules\n"
        "     and run 'ferlib data fetch' again.\n"
        f"  3. Or by hand: download {_ARCHIVE} (or {_SECOND_EDITION}) at\n"
        f"     {page}/data\n"
        f"     put it into {_shown(target)}, and run 'ferlib data fetch' again, which unpacks it.\n"
        "  4. Or put the official FER2013Train.zip, FER2013Valid.zip and FER2013Test.zip there, if you have them."
    )
