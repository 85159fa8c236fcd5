"""Speed of folder scoring beside the plain loop, and memory of small and large folders.

Each measurement is a process of its own, so that its memory is that of one way of scoring only. Loading is not
counted, for it does not grow with the folder.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import StringIO
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ferlib.bench.frames import FACES, PlainPath
from ferlib.bench.machine import machine, run_in_process
from ferlib.faces.detector import MIN_FACE_SIZE
from ferlib.faces.pictures import load_picture, sample_picture
from ferlib.parallel import cores
from ferlib.scoring.pictures import predict_paths
from ferlib.scoring.workers import Task, make_workers

COUNTS = (500, 5000)
"""Numbers of pictures in the two folders between which memory must not grow."""

_DISTINCT = 24  # different pictures; the folder has copies of them


_HEAD = (slice(30, 210), slice(130, 310))  # of the sample picture: the face with hair and neck, 180 pixels square
_FACE_IN_HEAD = 0.55  # width of the face as a share of that square
_SMALLEST, _LARGEST = 64, 200  # widths of the pasted faces, pixels


def compose(width: int, height: int, faces: int, seed: int = 0) -> np.ndarray:
    """Compose a picture with faces of 64 to 200 pixels on a grid.

    Args:
        width: width of the picture, pixels.
        height: height of the picture, pixels.
        faces: number of faces, a square number.
        seed: seed of their sizes and places.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    random, side = np.random.default_rng(seed), round(faces**0.5)
    slope = np.linspace(70, 170, width, dtype=np.float32)[None, :, None] + np.zeros((height, 1, 3), np.float32)
    picture, head = slope.astype(np.uint8), sample_picture()[_HEAD]
    cell_width, cell_height = width // side, height // side
    largest = min(cell_width, cell_height, round(_LARGEST / _FACE_IN_HEAD))
    smallest = min(round(_SMALLEST / _FACE_IN_HEAD), largest)
    for index in range(side * side):
        size = int(random.integers(smallest, largest + 1))
        left = index % side * cell_width + int(random.integers(0, cell_width - size + 1))
        top = index // side * cell_height + int(random.integers(0, cell_height - size + 1))
        picture[top : top + size, left : left + size] = cv2.resize(head, (size, size), interpolation=cv2.INTER_AREA)
    return picture


def write_folder(folder: Path, count: int) -> None:
    """Write JPEG files of 640x480 with 1 or 4 faces: a few files and links to them, or copies without links.

    Args:
        folder: an empty folder.
        count: number of files.
    """
    distinct = min(count, _DISTINCT)
    for index in range(distinct):
        picture = compose(640, 480, FACES[index % 2], seed=index)
        Image.fromarray(picture).save(folder / f"{index:05d}.jpg", quality=90)
    for index in range(distinct, count):
        source, target = folder / f"{index % distinct:05d}.jpg", folder / f"{index:05d}.jpg"
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def score_in_plain_loop(folder: Path, model: str | None) -> dict:
    """Score a folder one picture after another on the plain path.

    Args:
        folder: folder of pictures.
        model: name of a checkpoint; None: the default one.

    Returns:
        ``pictures``, ``seconds``, ``pictures_per_second`` and ``megabytes``.
    """
    path = PlainPath(model)
    pictures = sorted(folder.iterdir())
    path(load_picture(pictures[0]))
    start = time.perf_counter()
    for picture in pictures:
        path(load_picture(picture))
    return _throughput(len(pictures), time.perf_counter() - start)


def score_by_workers(folder: Path, model: str | None, kind: str) -> dict:
    """Score a folder into a CSV file by `predict_paths` with one worker a core.

    Args:
        folder: folder of pictures.
        model: name of a checkpoint; None: the default one.
        kind: kind of the workers, see `make_workers`.

    Returns:
        ``pictures``, ``seconds``, ``pictures_per_second`` and ``megabytes``.
    """
    pipeline, workers = make_workers(cores(), kind, model=model, min_face_size=MIN_FACE_SIZE)
    pictures = sorted(folder.iterdir())
    for ready in [workers.submit(Task(picture)) for picture in repeat(pictures[0], 2 * workers.count)]:
        ready.result()  # every worker has loaded what it needs
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        predict_paths([folder], pipeline, csv=Path(place) / "rows.csv", workers=workers, out=StringIO())
    return _throughput(len(pictures), time.perf_counter() - start)


def _throughput(pictures: int, seconds: float) -> dict:
    return {
        "pictures": pictures, "seconds": seconds, "pictures_per_second": pictures / seconds,
        "megabytes": peak_memory(),
    }  # fmt: skip


def peak_memory() -> float | None:
    """Peak memory (RSS) of this process, in megabytes; None where the system does not tell."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM"):  # Linux, where `getrusage` counts what the parent held when it started this one
            return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


WAYS: dict[str, Callable[[Path, str | None], dict]] = {
    "plain loop": score_in_plain_loop,
    "threads": partial(score_by_workers, kind="threads"),
    "processes": partial(score_by_workers, kind="processes"),
}
"""Name -> function that scores a folder."""


def compare_folders(
    model: str | None = None, *, counts: tuple[int, int] = COUNTS, few: int = 100,
    say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Pictures a second of each of `WAYS`, and the memory of our default at both of `counts`; JSON-ready.

    Args:
        model: name of a checkpoint; None: the default one.
        counts: pictures in the two folders; the first serves for our speed.
        few: pictures for the plain loop, which is slow.
        say: hears what is being measured.

    Raises:
        FerlibError: a measurement failed; the sentence has its last line.
    """
    ways = {}
    with tempfile.TemporaryDirectory() as place:
        for way, count in (("plain loop", few), ("threads", counts[0]), ("processes", counts[0])):
            say(f"{way}, {count} pictures")
            ways[way] = _score_in_process(way, Path(place), count, model)
        say(f"threads, {counts[1]} pictures")
        large = _score_in_process("threads", Path(place), counts[1], model)
    plain = ways["plain loop"]["pictures_per_second"]
    ratios = {way: row["pictures_per_second"] / plain for way, row in ways.items()}
    memory = {str(row["pictures"]): row["megabytes"] for row in (ways["threads"], large)}
    return {"ways": ways, "large": large, "times_as_fast": ratios, "megabytes": memory, **machine()}


def _score_in_process(way: str, place: Path, count: int, model: str | None) -> dict:
    folder = place / str(count)
    if not folder.is_dir():
        folder.mkdir()
        write_folder(folder, count)
    return run_in_process("ferlib.bench.folder", [way, str(folder), model or ""], way)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(WAYS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3] or None)) + "\n")
