import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ferlib.bench import accuracy
from ferlib.bench import engines as bench_engines
from ferlib.bench import folder as bench_folder
from ferlib.bench import frames as bench
from ferlib.bench import machine as bench_machine
from ferlib.bench import text as bench_text
from ferlib.bench.frames import FOLLOWED, OURS, PLAIN, STEPS
from ferlib.errors import FerlibError
from ferlib.pipeline import EmotionPipeline
from ferlib.samples.clips import crowd


@pytest.mark.parametrize(("width", "height"), bench.SIZES)
@pytest.mark.parametrize("faces", bench.FACES)
def test_pictures_are_composed_of_faces_of_several_sizes(width, height, faces):
    picture, again, other = (bench_folder.compose(width, height, faces, seed=seed) for seed in (0, 0, 1))
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    assert np.array_equal(picture, again)
    assert not np.array_equal(picture, other)


def test_the_faces_are_found(detector):
    detections = detector(bench_folder.compose(640, 480, 4))
    assert len(detections) == 4
    assert all(detection.box[2] - detection.box[0] >= 50 for detection in detections)


class FakeClassifier:
    def predict_proba(self, faces):
        assert faces.shape[1:] == (48, 48)
        return np.full((len(faces), 8), 0.125, np.float32)


def test_both_paths_find_the_same_faces_and_time_each_step(monkeypatch, detector):
    monkeypatch.setattr(bench, "load_classifier", lambda *_, **__: FakeClassifier())
    picture = bench_folder.compose(320, 240, 1)
    for path in (bench.OurPath(EmotionPipeline(detector, FakeClassifier())), bench.PlainPath(None, min_face_size=40)):
        milliseconds, faces = path(picture)
        assert faces == 1
        assert set(milliseconds) == set(STEPS)
        assert milliseconds["total"] == pytest.approx(sum(milliseconds[step] for step in STEPS[:3]))
        assert all(value > 0 for value in milliseconds.values())
        blank, none = path(np.zeros((100, 120, 3), np.uint8))
        assert none == 0
        assert blank["total"] > 0


def test_a_stream_is_followed_between_detections(detector):
    path, frames = bench.FollowedPath(EmotionPipeline(detector, FakeClassifier())), list(crowd(320, 240, 1, 3))
    (first, faces), (second, faces_again), _ = [path(frame) for frame in frames]
    assert (faces, faces_again) == (1, 1)
    assert second["detect"] < first["detect"]  # the last net alone
    assert set(first) == set(STEPS)


class Clock:
    """A path that always takes as long."""

    def __init__(self, total):
        self.total, self.calls = total, 0

    def __call__(self, picture):
        self.calls += 1
        first = 100.0 if self.calls == 1 else 0.0  # the warm-up
        return {"detect": self.total / 2, "crop": 1.0, "classify": 1.0, "total": self.total + first}, 1


@pytest.fixture(scope="module")
def measured():
    """Times of made paths: ours takes 10 ms, followed 5, the plain ones 80 and 60."""

    def classifier(name=None, engine=None, threads=None):
        fake = FakeClassifier()
        fake.engine = engine or "onnx"
        return fake

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "load_classifier", classifier)
        patch.setattr(bench, "load_pipeline", lambda *_, **options: EmotionPipeline(None, classifier(**{})))
        patch.setattr(bench, "describe", lambda name: ({"name": "tiny"}, None))
        patch.setattr(bench, "OurPath", lambda pipeline: Clock(10.0))
        patch.setattr(bench, "FollowedPath", lambda pipeline: Clock(5.0))
        patch.setattr(bench, "PlainPath", lambda model, **options: Clock(60.0 if options else 80.0))
        patch.setattr(bench_machine, "code_commit", lambda: "0")
        few = {"sizes": ((64, 48), (80, 60)), "faces": (1, 4), "rounds": 3, "warm_up": 1}
        before = torch.get_num_threads()
        times = bench.compare_frame_times(None, threads=(before + 1,), **few)
        return times | {"threads_given_back": torch.get_num_threads() == before}


def test_medians_and_ratios_of_every_setting(measured):
    assert len(measured["rows"]) == 2 * 2 * 4
    assert {row["path"] for row in measured["rows"]} == {OURS, FOLLOWED, PLAIN, "plain, 40 px"}
    assert measured["rows"][0]["total"] == {"p50": 10.0, "p95": 10.0}  # the warm-up does not count
    assert len(measured["ratios"]) == 2 * 2 * 4
    assert measured["ratios"][0]["total"] == pytest.approx(8.0)
    assert measured["ratios"][1]["against"] == "plain, 40 px"
    assert measured["ratios"][1]["total"] == pytest.approx(6.0)
    assert (measured["ratios"][2]["path"], measured["ratios"][2]["total"]) == (FOLLOWED, pytest.approx(16.0))
    assert (measured["model"], measured["engine"], measured["rounds"]) == ("tiny", "onnx", 3)
    assert {"code_commit", "cores", "torch", "onnxruntime"} <= measured.keys()
    json.dumps(measured, allow_nan=False)


def test_the_threads_are_given_back(measured):
    assert measured["threads_given_back"]


def test_the_text_has_every_part(measured):
    engines = {"torch": {"load": 9.0, "first": 5.0, "p50": 4.0, "p95": 5.0, "times_as_fast_as_torch": 1.0}}
    ways = {"plain loop": {"pictures_per_second": 5.0}, "threads": {"pictures_per_second": 30.0}}
    folder = {"ways": ways, "times_as_fast": {"plain loop": 1.0, "threads": 6.0}, "megabytes": {"4": 300.0, "8": 301.0}}
    text = bench_text.render_live(measured | {"classifier": engines, "folder": folder})
    for part in ("tiny on onnx", "64x48", "8.0x", "plain, 40 px", "6.0 x the plain loop", "301 MB at 8 pictures"):
        assert part in text


def test_engines_take_turns(monkeypatch):
    calls = []

    class Counting(FakeClassifier):
        def __init__(self, engine):
            self.engine = engine

        def predict_proba(self, faces):
            calls.append(self.engine)
            return super().predict_proba(faces)

    monkeypatch.setattr(bench_engines, "usable_engines", lambda model: ["onnx", "torch"])
    monkeypatch.setattr(bench_engines, "load_classifier", lambda name, engine, threads: Counting(engine))
    measured = bench_engines.compare_engines("m", rounds=3, warm_up=1)
    assert calls == ["onnx", "torch"] * 5
    assert set(measured["onnx"]) == {"load", "first", "p50", "p95", "times_as_fast_as_torch"}
    assert measured["torch"]["times_as_fast_as_torch"] == 1


def test_a_folder_has_as_many_pictures_as_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_folder, "_DISTINCT", 2)
    bench_folder.write_folder(tmp_path, 5)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{index:05d}.jpg" for index in range(5)]
    assert (tmp_path / "00000.jpg").read_bytes() == (tmp_path / "00002.jpg").read_bytes()
    assert (tmp_path / "00000.jpg").read_bytes() != (tmp_path / "00001.jpg").read_bytes()


def test_both_ways_score_a_whole_folder(tmp_path, monkeypatch, pipeline):
    from ferlib.scoring.workers import ThreadWorkers

    bench_folder.write_folder(tmp_path, 2)
    monkeypatch.setattr(bench_folder, "make_workers", lambda count, kind, **_: (pipeline, ThreadWorkers([pipeline])))
    monkeypatch.setattr(bench_folder, "PlainPath", lambda model: Clock(1.0))
    for way in ("threads", "plain loop"):
        measured = bench_folder.WAYS[way](tmp_path, None)
        assert measured["pictures"] == 2
        assert measured["pictures_per_second"] > 0
        assert measured["megabytes"] is None or measured["megabytes"] > 50


def test_folders_are_compared(monkeypatch):
    speeds = {"plain loop": 5.0, "threads": 30.0, "processes": 20.0}

    def run(command, **_):
        way, place = command[3], command[4]
        row = {
            "pictures": int(place.rsplit("/", 1)[1]), "pictures_per_second": speeds[way], "seconds": 1,
            "megabytes": 300.0,
        }  # fmt: skip
        return subprocess.CompletedProcess(command, 0, json.dumps(row) + "\n", "")

    monkeypatch.setattr(bench_folder, "write_folder", lambda folder, count: None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(bench_machine, "code_commit", lambda: "0")
    measured = bench_folder.compare_folders(counts=(3, 6), few=2)
    assert measured["times_as_fast"] == {"plain loop": 1.0, "threads": 6.0, "processes": 4.0}
    assert measured["megabytes"] == {"3": 300.0, "6": 300.0}


def test_a_measurement_that_fails_is_named(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: none left\n")
    monkeypatch.setattr(bench_folder, "write_folder", lambda folder, count: None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: failed)
    with pytest.raises(FerlibError, match=r"plain loop could not be measured \(MemoryError: none left\)"):
        bench_folder.compare_folders(counts=(3, 6), few=2)


@pytest.mark.slow
def test_what_the_speed_costs_is_measured_and_told(monkeypatch, make):
    monkeypatch.setattr(
        accuracy, "load_pipeline", lambda *_, **__: EmotionPipeline(accuracy.FaceDetector(40), make.classifier())
    )
    monkeypatch.setattr(accuracy, "CLIPS", ("standing",))
    monkeypatch.setattr(accuracy, "composed_pictures", lambda: [bench_folder.compose(320, 240, 1)])
    measured = accuracy.compare_accuracy()
    assert measured["agreement"]["least"] > 0.9
    assert set(measured["following"]) == {"standing"}
    json.dumps(measured, allow_nan=False)
    text = bench_text.render_live({"accuracy": measured})
    assert "our detector beside facenet-pytorch's" in text
    assert "following, standing: " in text


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells a process its own peak")
def test_memory_is_that_of_the_process_and_not_of_the_one_that_started_it():
    held = np.ones(150_000_000)  # 1.2 GB here
    code = "from ferlib.bench.folder import peak_memory; print(peak_memory())"
    own_peak = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert bench_folder.peak_memory() > held.nbytes / 1024**2
    assert 20 < own_peak < held.nbytes / 1024**2
