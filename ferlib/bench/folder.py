"""Folder scoring measured: pictures a second beside the plain loop, and whether memory grows with the folder.

Each measurement is a process of its own, so that its memory is that of one way of scoring only. Loading is not
counted, for it does not grow with the folder.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ferlib.bench.frames import FACES, LEAST, PlainPath, machine
from ferlib.errors import FerlibError
from ferlib.faces.pictures import load_picture, sample_picture
from ferlib.parallel import cores
from ferlib.scoring.pictures import predict_paths
from ferlib.scoring.workers import Task, make_workers

COUNTS = (500, 5000)
"""Pictures of the two folders between which memory must not grow."""

_DISTINCT = 24  # different pictures; the folder has copies of them


_HEAD = (slice(30, 210), slice(130, 310))  # of the sample picture: the face with hair and neck, 180 pixels square
_FACE_IN_HEAD = 0.55  # width of the face as a share of that square
_SMALLEST, _LARGEST = 64, 200  # widths of the pasted faces, pixels


def compose(width: int, height: int, faces: int, seed: int = 0) -> np.ndarray:
    """A (height, width, 3) uint8 RGB picture with `faces` faces (a square number) of 64 to 200 pixels on a grid."""
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
    """`count` JPEG files of 640x480 with 1 or 4 faces; links to a few files where the file system has them."""
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


def plain_loop(folder: Path, model: str | None) -> dict:
    """One picture after another on the plain path."""
    path = PlainPath(model)
    pictures = sorted(folder.iterdir())
    path(load_picture(pictures[0]))
    start = time.perf_counter()
    for picture in pictures:
        path(load_picture(picture))
    return _told(len(pictures), time.perf_counter() - start)


def ours(folder: Path, model: str | None, kind: str) -> dict:
    """`predict_paths` with one worker a core and a CSV file."""
    count = cores()
    pipeline, workers = make_workers(count, kind, model=model, min_face_size=LEAST)
    pictures = sorted(folder.iterdir())
    for ready in [workers.submit(Task(picture)) for picture in repeat(pictures[0], 2 * workers.count)]:
        ready.result()  # every worker has loaded what it needs
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        predict_paths([folder], pipeline, csv=Path(place) / "rows.csv", workers=workers, out=StringIO())
    return _told(len(pictures), time.perf_counter() - start)


def _told(pictures: int, seconds: float) -> dict:
    return {
        "pictures": pictures, "seconds": seconds, "pictures_per_second": pictures / seconds,
        "megabytes": peak_memory(),
    }  # fmt: skip


def peak_memory() -> float | None:
    """The most memory that this process has held, megabytes (RSS); None where the system does not tell."""
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
    "plain loop": plain_loop,
    "threads": lambda folder, model: ours(folder, model, "threads"),
    "processes": lambda folder, model: ours(folder, model, "processes"),
}
"""Name -> how a folder is scored."""


def compare_folders(
    model: str | None = None, *, counts: tuple[int, int] = COUNTS, few: int = 100,
    say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Pictures a second of each of `WAYS`, and the memory of our default at both of `counts`; JSON-ready.

    Args:
        model: a checkpoint.
        counts: pictures in the two folders; the first serves for our speed.
        few: pictures for the plain loop, which is slow.
        say: hears what is being measured.

    Raises:
        FerlibError: a measurement failed; the sentence has its last line.
    """
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for way, count in (("plain loop", few), ("threads", counts[0]), ("processes", counts[0])):
            say(f"{way}, {count} pictures")
            found[way] = _measure(way, Path(place), count, model)
        say(f"threads, {counts[1]} pictures")
        more = _measure("threads", Path(place), counts[1], model)
    plain = found["plain loop"]["pictures_per_second"]
    times = {way: one["pictures_per_second"] / plain for way, one in found.items()}
    memory = {str(one["pictures"]): one["megabytes"] for one in (found["threads"], more)}
    return {"ways": found, "large": more, "times_as_fast": times, "megabytes": memory, **machine()}


def _measure(way: str, place: Path, count: int, model: str | None) -> dict:
    folder = place / str(count)
    if not folder.is_dir():
        folder.mkdir()
        write_folder(folder, count)
    command = [sys.executable, "-m", "ferlib.bench.folder", way, str(folder), model or ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FerlibError(f"{way} could not be measured ({last}); run it again on an idle machine.")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(WAYS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3] or None)) + "\n")
