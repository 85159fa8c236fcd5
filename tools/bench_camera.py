"""Speed of the live demo, measured in real JupyterLab in real Chromium: ``make bench``, on an idle machine.

Every step counts: fake camera at 640x480, JPEG, websocket, MTCNN, classifier, tracking, answer, drawing. With
``--slow N`` a pipeline that takes 300 ms a frame is watched for N frames instead: its round trips must stay bounded
and the kernel's memory must not grow.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
from chromium import CAMERA_FLAGS, camera_clip, chromium, jupyterlab, run_notebook
from nbformat.v4 import new_code_cell, new_notebook

from ferlib import paths
from ferlib.bench.machine import machine
from ferlib.files import write_json
from ferlib.models.checkpoints import describe

WARM_UP = 5.0  # seconds before the measurement
MAX_ROUND_TRIP, MAX_GROWTH = 3000, 50  # milliseconds, and megabytes, above which the status is 1
NAME = "bench.ipynb"
START = """\
import os, time
from ferlib import load_pipeline
from ferlib.apps.jupyter.demo import LiveDemo
pipeline = load_pipeline()
detector = pipeline.detector
class Slow:
    min_face_size = detector.min_face_size
    def __call__(self, *arguments):
        time.sleep({delay})
        return detector(*arguments)
    def refine(self, *arguments):
        time.sleep({delay})
        return detector.refine(*arguments)
if {delay}:
    pipeline.detector = Slow()
print(os.getpid())"""
SHOW = "demo = LiveDemo('browser', pipeline, in_flight={in_flight})\ndemo"
PID = """() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.outputs.toJSON()[0].text"""
LOOK = """() => {
  const live = document.querySelector('.ferlib-live');
  const [stages, middle, high] = [...live.querySelectorAll('.ferlib-latency tr')].map(
    row => [...row.children].slice(1).map(cell => cell.textContent));
  return {
    answers: Number(live.dataset.answers || 0), faces: Number(live.dataset.faces || 0),
    trip: Number(live.dataset.roundTrip || 0), state: live.dataset.state,
    milliseconds: Object.fromEntries(stages.map((name, index) => [name, [middle[index], high[index]].map(Number)])),
  };
}"""


def measure(faces: int, seconds: float, in_flight: int = 2, delay: float = 0.0, frames: int = 0) -> dict:
    """Run the demo in JupyterLab and watch it.

    Args:
        faces: number of faces that the camera shows.
        seconds: how long to watch; does not count where `frames` is given.
        in_flight: frames under way at most.
        delay: seconds that the detector takes longer.
        frames: answers to wait for; 0 watches for `seconds`.

    Returns:
        State, faces, answers, rates, milliseconds of each stage and growth of memory, JSON-ready.
    """
    with tempfile.TemporaryDirectory() as scratch, jupyterlab(Path(scratch)) as lab:
        clip = camera_clip(Path(scratch) / "clip.mjpeg", faces)
        cells = [new_code_cell(START.format(delay=delay), id="start")]
        cells.append(new_code_cell(SHOW.format(in_flight=in_flight), id="camera"))
        metadata = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
        nbformat.write(new_notebook(cells=cells, metadata=metadata), Path(scratch) / "work" / NAME)
        with chromium(*CAMERA_FLAGS, f"--use-file-for-fake-video-capture={clip}") as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 1100})
            run_notebook(page, lab, NAME, 120)
            kernel = psutil.Process(int(page.evaluate(PID)))
            page.get_by_role("button", name="Start", exact=True).click()
            page.wait_for_function("n => document.querySelector('.ferlib-live').dataset.faces == n", arg=str(faces))
            page.wait_for_timeout(1000 * WARM_UP)
            return watch(page, kernel, seconds, frames)


def watch(page, kernel: psutil.Process, seconds: float, frames: int) -> dict:
    """Watch the demo on a page that has begun to show answers.

    Args:
        page: Playwright's page.
        kernel: the notebook's kernel.
        seconds: how long to watch; does not count where `frames` is given.
        frames: answers to wait for; 0 watches for `seconds`.

    Returns:
        As `measure`.
    """
    first, started, trips, memory = page.evaluate(LOOK), time.monotonic(), [], [kernel.memory_info().rss]
    while True:
        page.wait_for_timeout(250)
        view, elapsed = page.evaluate(LOOK), time.monotonic() - started
        trips.append(view["trip"])
        memory.append(kernel.memory_info().rss)
        count = view["answers"] - first["answers"]
        if (frames and count >= frames) or (not frames and elapsed >= seconds) or view["state"] != "on":
            break
    return {
        "state": view["state"],
        "faces": view["faces"],
        "answers": count,
        "answers_a_second": round(count / elapsed, 2),
        "longest_round_trip_seen_ms": max(trips),
        "milliseconds_p50_p95": view["milliseconds"],
        "memory_grown_mb": round((memory[-1] - memory[len(memory) // 4]) / 1e6, 1),
    }


def main() -> None:
    """Measure, print JSON, and exit with 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--slow", type=int, default=0, metavar="FRAMES")
    parser.add_argument("--publish", action="store_true", help="record it in data/published")
    options = parser.parse_args()
    if options.slow:
        results = {"300 ms a frame": measure(1, 0, options.in_flight, delay=0.3, frames=options.slow)}
    else:
        results = {
            f"{faces} face{'s' * (faces > 1)}": measure(faces, options.seconds, options.in_flight) for faces in (1, 4)
        }
    if options.publish:
        path = paths.PUBLISHED / "bench_camera.json"
        before = json.loads(path.read_text("utf-8"))["runs"] if path.is_file() else {}
        about = {"model": describe(None)[0]["name"], "picture": "640x480", **machine()}
        write_json(path, about | {"runs": before | results})
    json.dump(results, sys.stdout, indent=2)
    sys.stdout.write("\n")
    for name, result in results.items():
        if result["longest_round_trip_seen_ms"] > MAX_ROUND_TRIP or result["memory_grown_mb"] > MAX_GROWTH:
            limits = f"a round trip above {MAX_ROUND_TRIP} ms, or more than {MAX_GROWTH} MB grown"
            sys.exit(f"{name}: {limits}; is the machine idle?")


if __name__ == "__main__":
    main()
