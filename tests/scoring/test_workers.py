import os
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from PIL import Image

from ferlib import parallel
from ferlib.errors import FerlibError
from ferlib.faces import detector as detection
from ferlib.faces.pictures import sample_picture
from ferlib.inference.loading import load_classifier
from ferlib.pipeline import EmotionPipeline, load_pipeline
from ferlib.scoring import workers as scoring
from ferlib.scoring.workers import ScoredPicture, Task, ThreadWorkers, in_order


class SlowPipeline:
    """Notes how many pictures it has at once, and takes longest for the first ones."""

    def __init__(self):
        self.busy, self.most, self.done = 0, 0, 0

    def __call__(self, image):
        self.busy += 1
        self.most = max(self.most, self.busy)
        time.sleep(0.02 if self.done < 2 else 0.0)
        self.done += 1
        self.busy -= 1
        return []


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{index:02d}.png" for index in range(12)]
    for index, path in enumerate(paths):
        Image.new("RGB", (20 + index, 30)).save(path)
    return paths


def test_results_come_in_order_and_a_pipeline_serves_one_picture_at_a_time(pictures):
    pipelines = [SlowPipeline(), SlowPipeline()]
    results = [result.result() for _, result in in_order(map(Task, pictures), ThreadWorkers(pipelines))]
    assert [scored.source for scored in results] == pictures
    assert [scored.width for scored in results] == [20 + index for index in range(12)]
    assert all(scored.image is None for scored in results)
    assert [pipeline.most for pipeline in pipelines] == [1, 1]


class CountingWorkers:
    count = 3

    def __init__(self):
        self.submitted, self.closed = 0, False

    def submit(self, task):
        self.submitted += 1
        future = Future()
        future.set_result(ScoredPicture(task.path, 1, 1, []))
        return future

    def close(self):
        self.closed = True


def test_only_a_few_are_ahead_however_many_there_are():
    workers = CountingWorkers()
    results = in_order((Task(f"{index}") for index in range(1000)), workers)
    for fetched in range(1, 20):
        next(results)
        assert workers.submitted <= fetched + 2 * workers.count
    results.close()
    assert workers.closed
    assert workers.submitted < 30


def test_a_picture_that_cannot_be_read_raises_at_its_place(pictures):
    pictures[1].write_bytes(b"no picture")
    results = in_order(map(Task, pictures[:3]), ThreadWorkers([SlowPipeline()]))
    assert next(results)[1].result().source == pictures[0]
    with pytest.raises(FerlibError, match=r"01\.png is not a picture"):
        next(results)[1].result()
    assert next(results)[1].result().source == pictures[2]


def test_what_is_known_is_not_scored_again_and_the_image_comes_when_wanted(pictures):
    pipeline = SlowPipeline()
    known = ScoredPicture(pictures[0], 20, 30, ["a face"])
    tasks = [Task(pictures[0], known=known), Task(pictures[0], True, known), Task(pictures[1], True)]
    results = [result.result() for _, result in in_order(tasks, ThreadWorkers([pipeline]))]
    assert pipeline.done == 1
    assert [scored.faces for scored in results] == [["a face"], ["a face"], []]
    assert [None if scored.image is None else scored.image.shape for scored in results] == [
        None,
        (30, 20, 3),
        (30, 21, 3),
    ]


def test_closing_leaves_no_thread(pictures):
    before = threading.active_count()
    results = in_order(map(Task, pictures), ThreadWorkers([SlowPipeline(), SlowPipeline()]))
    next(results)
    results.close()
    assert threading.active_count() == before


def test_workers_share_one_classifier_and_have_a_detector_each(monkeypatch, make, detector):
    asked = []

    def load(**options):
        asked.append(options)
        return EmotionPipeline(detector, make.classifier())

    monkeypatch.setattr(scoring, "load_pipeline", load)
    monkeypatch.setattr(scoring, "FaceDetector", lambda **options: asked.append(options) or object())
    pipeline, workers = scoring.make_workers(2, model="m", engine=None, question=None, min_face_size=60)
    used = [workers._free.get() for _ in range(2)]
    workers.close()
    assert asked == [
        {"threads": 1, "model": "m", "engine": None, "question": None, "min_face_size": 60},
        {"threads": 1, "min_face_size": 60},
    ]
    assert used[0] is pipeline
    assert used[1].classifier is pipeline.classifier
    assert used[1].detector is not pipeline.detector
    assert workers.count == 2


def test_a_process_scores_like_a_thread(monkeypatch, pictures):
    asked = []
    monkeypatch.setattr(scoring, "_own_pipeline", [])
    monkeypatch.setattr(scoring, "load_pipeline", lambda **options: asked.append(options) or SlowPipeline())
    scoring._load_own_pipeline({"model": "m"})
    assert asked == [{"threads": 1, "model": "m"}]
    scored = scoring._do_in_process(Task(pictures[3], wants_image=True))
    assert (scored.width, scored.height, scored.faces) == (23, 30, [])
    assert isinstance(scored.image, np.ndarray)
    assert scoring._do_in_process(Task(pictures[3], known=scored)).image is None


def test_one_core_is_enough(monkeypatch):
    """Detector and classifier keep to the cores that the process may use, and find the same there."""
    everywhere = load_pipeline()(sample_picture())
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
    assert parallel.cores() == 1
    detector = detection.FaceDetector(threads=8)
    assert detector._engine._cascade._workers.threads == 1
    alone = EmotionPipeline(detector, load_classifier(threads=1))(sample_picture())
    assert [face.emotion for face in alone] == [face.emotion for face in everywhere]
    np.testing.assert_allclose(alone[0].probabilities, everywhere[0].probabilities, atol=1e-5)
