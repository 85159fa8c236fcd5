import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from ferlib.bench.streams import identity_switches
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live import tracking
from ferlib.live.tracking import Tracker, overlaps
from ferlib.samples.streams import FRAME, SCENES, made_face, scene


def at(x, y=200, side=100):
    return made_face((x - side / 2, y - side / 2, x + side / 2, y + side / 2))


def tracks(tracker, time, *faces, size=None):
    return [tracked.track for tracked in tracker.update(faces, time, size)]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [6, 12, 30])
@pytest.mark.parametrize("kind", SCENES)
def test_no_identity_switch_in_the_made_scenes(kind, rate):
    for seed in range(3):
        assert identity_switches(scene(kind, rate, seed)) == 0


def test_a_tracker_without_memory_would_switch_in_the_hard_scenes():
    """The scenes can fail: with no patience, whoever is hidden comes back as somebody else."""
    for kind in ("crossing", "vanishing"):
        assert identity_switches(scene(kind), Tracker(patience=0.1)) > 0


def test_the_scenes_hold_what_they_promise():
    assert {len(faces) for faces in scene("crowd").faces} == {30}
    assert {len(faces) for faces in scene("crossing").faces} == {1, 2}
    people = scene("leaving").people
    assert {0, 1, 2} == set().union(*people)
    assert max(face.box[2] for faces in scene("leaving").faces for face in faces) > FRAME[0]
    with pytest.raises(ValueError, match="unknown scene"):
        scene("party")


def test_tracks_are_numbered_from_one_and_never_again():
    tracker = Tracker(patience=0.5)
    assert tracks(tracker, 0, at(100), at(400)) == [1, 2]
    assert tracks(tracker, 0.1, at(402), at(103)) == [2, 1]
    assert tracks(tracker, 5, at(100)) == [3]


def test_no_face_and_no_track():
    tracker = Tracker()
    assert tracks(tracker, 0) == []
    assert tracks(tracker, 1, at(100)) == [1]
    assert tracks(tracker, 1.1) == []
    assert tracker.alive == 1


def test_a_track_ends_when_its_face_stays_away_too_long():
    tracker = Tracker(patience=0.5)
    tracks(tracker, 0, at(100))
    assert tracks(tracker, 0.4, at(100)) == [1]
    assert tracks(tracker, 1.0, at(100)) == [2]


def test_a_face_that_left_through_the_border_does_not_come_back_as_itself():
    tracker = Tracker()
    for step in range(10):
        tracks(tracker, step / 10, at(500 + 30 * step / 2), size=FRAME)
    assert tracks(tracker, 1.3, size=FRAME) == []
    assert tracker.alive == 0
    assert tracks(tracker, 1.4, at(600), size=FRAME) == [2]


def test_a_face_that_grows_and_one_elsewhere_are_told_apart():
    tracker = Tracker()
    assert tracks(tracker, 0, at(300, side=100)) == [1]
    assert tracks(tracker, 0.1, at(300, side=120)) == [1]
    assert tracks(tracker, 0.2, at(300, side=120), at(320, side=30)) == [1, 2]


def test_time_that_stands_still_or_goes_back_does_no_harm():
    tracker = Tracker()
    assert tracks(tracker, 1, at(100)) == tracks(tracker, 1, at(101)) == tracks(tracker, 0.2, at(102)) == [1]


def test_reset_forgets_but_goes_on_counting():
    tracker = Tracker()
    tracks(tracker, 0, at(100))
    tracker.reset()
    assert tracks(tracker, 0.1, at(100)) == [2]


def test_the_assignment_is_the_best_of_all_together():
    """Two tracks, two faces: taking the best pair first would leave a pair that does not fit at all."""
    tracker = Tracker()
    tracks(tracker, 0, at(100), at(150))
    assert tracks(tracker, 0.1, at(127), at(176)) == [1, 2]
    faces = (at(127), at(176))
    scores = tracking._similarities(
        [tracker_with(at(100)), tracker_with(at(150))],
        np.array([face.box for face in faces]),
        np.array([face.landmarks for face in faces]),
        time=0,
    )
    assert scores.argmax() == 2  # greedy would begin with track 2 and the first face
    rows, columns = linear_sum_assignment(scores, maximize=True)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (1, 1)]


def tracker_with(face):
    tracker = Tracker()
    tracker.update([face], 0)
    return tracker._tracks[0]


def test_the_emotion_is_steadied_and_age_counts(make):
    tracker = Tracker()
    tracker.update([make.face(emotion="happy")], 0)
    (tracked,) = tracker.update([make.face(emotion="sad")], 0.05)
    assert (tracked.emotion, tracked.face.emotion, tracked.age) == ("happy", "sad", 0.05)
    assert tracked.confidence == tracked.probabilities[EMOTIONS.index("happy")]
    (tracked,) = tracker.update([make.face(emotion="sad")], 2)
    assert tracked.emotion == "sad"


def test_the_time_constant_can_be_changed_on_the_way(make):
    tracker = Tracker()
    tracker.update([make.face(emotion="happy")], 0)
    tracker.time_constant = 0
    (tracked,) = tracker.update([make.face(emotion="sad")], 0.01)
    assert (tracked.emotion, tracker.time_constant) == ("sad", 0)
    with pytest.raises(FerlibError):
        tracker.time_constant = -1


def test_impossible_patience_is_refused():
    with pytest.raises(FerlibError, match="patience"):
        Tracker(patience=-1)


def test_overlap_at_its_limits():
    box = np.array([0, 0, 10, 10.0])
    others = np.array([box, box + 10, [5, 0, 15, 10], np.zeros(4)])
    assert overlaps(box[None], others) == pytest.approx(np.array([[1, 0, 1 / 3, 0]]))
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4))) == 0
    assert overlaps(np.zeros((0, 4)), others).shape == (0, 4)


def test_similarity_is_one_for_the_same_face_and_falls_with_distance_and_size():
    face = at(200)
    boxes = np.array([f.box for f in (face, at(210), at(260), at(200, side=150))])
    landmarks = np.array([f.landmarks for f in (face, at(210), at(260), at(200, side=150))])
    (row,) = tracking._similarities([tracker_with(face)], boxes, landmarks, time=0)
    assert row[0] == pytest.approx(1)
    assert row[0] > row[1] > row[2]
    assert row[3] < 0.75
