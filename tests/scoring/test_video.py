import csv
import io
import json
import tracemalloc

import av
import numpy as np
import pytest
from fakes import FakeDetector, Plain, make_face, moving, write_video

from ferlib.errors import FerlibError
from ferlib.live.records import COLUMNS
from ferlib.live.video_source import VideoSource
from ferlib.pipeline import EmotionPipeline
from ferlib.scoring import progress, video
from ferlib.scoring.video import predict_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory, photo):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.avi", moving(photo, 12), rate=10)


class Counting(EmotionPipeline):
    """Counts the frames that it reads; stops, as Ctrl-C would, before the frame `stop`."""

    def __init__(self, pipeline, stop=None):
        super().__init__(pipeline.detector, pipeline.classifier)
        self.read, self.stop = 0, stop

    def crops(self, image, detections):
        if self.read == self.stop:
            raise KeyboardInterrupt
        self.read += 1
        return super().crops(image, detections)


def run(clip, pipeline, detect_every=1, **options):
    options["detect_every"] = detect_every
    out, err = io.StringIO(), io.StringIO()
    return predict_video(clip, pipeline, out=out, err=err, **options), out.getvalue(), err.getvalue()


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_row_for_each_face_and_frame(pipeline, clip, tmp_path):
    status, out, err = run(clip, pipeline, csv=tmp_path / "rows.csv")
    assert (status, err) == (0, "")
    rows = rows_of(tmp_path / "rows.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [row["frame"] for row in rows] == [str(number) for number in range(12)]
    assert {row["track"] for row in rows} == {"1"}
    np.testing.assert_allclose([float(row["time"]) for row in rows], np.arange(12) / 10, atol=1e-3)
    assert sum(float(rows[0][name]) for name in COLUMNS[-8:]) == pytest.approx(1, abs=0.01)
    assert "1 face followed" in out
    assert "angry 100%" in out
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]  # no part file is left


def test_the_annotated_video_has_every_frame_and_the_boxes(pipeline, clip, tmp_path):
    assert run(clip, pipeline, annotate_dir=tmp_path / "out")[0] == 0
    (target,) = (tmp_path / "out").iterdir()
    assert target.name == "clip.annotated.mp4"
    drawn, plain = VideoSource(target), VideoSource(clip)
    assert drawn.rate == 10
    differences = []
    while (frame := drawn.read()) is not None:
        differences.append(np.abs(frame.image.astype(int) - plain.read().image).max())
    assert len(differences) == 12
    assert min(differences) > 100


@pytest.mark.parametrize("size", [(101, 75), (60, 34)])
def test_small_sizes_stay_and_odd_ones_become_even(size, tmp_path):
    frames = [np.full((size[1], size[0], 3), 60, np.uint8)] * 3
    clip = write_video(tmp_path / "odd.avi", frames)
    detector = FakeDetector((10, 5, 40, 30))
    assert run(clip, Plain(detector), annotate_dir=tmp_path / "out")[0] == 0
    picture = VideoSource(tmp_path / "out" / "odd.annotated.mp4").read().image
    assert picture.shape[1::-1] == (size[0] & ~1, size[1] & ~1)


def test_one_frame_in_three(pipeline, clip, tmp_path):
    counting = Counting(pipeline)
    run(clip, counting, csv=tmp_path / "rows.csv", every=3, annotate_dir=tmp_path)
    assert counting.read == 4
    assert [row["frame"] for row in rows_of(tmp_path / "rows.csv")] == ["0", "3", "6", "9"]
    assert VideoSource(tmp_path / "clip.annotated.mp4").rate == pytest.approx(10 / 3, abs=0.01)


def test_an_interrupted_run_goes_on_and_gives_the_same_table(pipeline, clip, tmp_path):
    run(clip, Counting(pipeline), csv=tmp_path / "at_once.csv")
    target = tmp_path / "rows.csv"
    status, _, err = run(clip, Counting(pipeline, stop=5), csv=target)
    assert status == 130
    assert "goes on from there" in err
    assert not target.exists()
    second = Counting(pipeline)
    assert run(clip, second, csv=target)[0] == 0
    assert second.read == 7
    assert target.read_text() == (tmp_path / "at_once.csv").read_text()
    assert not progress.progress_path(target).exists()


def test_an_interrupted_run_that_follows_goes_on_from_its_last_detection(pipeline, clip, tmp_path):
    run(clip, Counting(pipeline), csv=tmp_path / "at_once.csv", detect_every=4)
    target = tmp_path / "rows.csv"
    assert run(clip, Counting(pipeline, stop=7), csv=target, detect_every=4)[0] == 130
    second = Counting(pipeline)
    assert run(clip, second, csv=target, detect_every=4)[0] == 0
    assert second.read == 8  # frames 4 to 11: detected in 4 and 8, and 7 had not been read
    assert target.read_text() == (tmp_path / "at_once.csv").read_text()


def test_following_finds_the_same_faces_with_fewer_detections(pipeline, clip, tmp_path):
    run(clip, pipeline, csv=tmp_path / "each.csv")
    run(clip, pipeline, csv=tmp_path / "followed.csv", detect_every=4)
    each, followed = rows_of(tmp_path / "each.csv"), rows_of(tmp_path / "followed.csv")
    assert [row["frame"] for row in followed] == [row["frame"] for row in each]
    assert {row["track"] for row in followed} == {"1"}
    for column in ("x1", "y1", "x2", "y2"):
        np.testing.assert_allclose([float(r[column]) for r in followed], [float(r[column]) for r in each], atol=12)


def test_an_impossible_detect_every_is_refused(pipeline, clip):
    with pytest.raises(FerlibError, match="detect_every"):
        run(clip, pipeline, detect_every=0)


def test_a_line_that_was_cut_off_is_read_again(pipeline, clip, tmp_path):
    target = tmp_path / "rows.csv"
    run(clip, Counting(pipeline, stop=5), csv=target)
    part = progress.progress_path(target)
    part.write_bytes(part.read_bytes()[:-40])
    second = Counting(pipeline)
    assert run(clip, second, csv=target)[0] == 0
    assert second.read == 8
    assert len(rows_of(target)) == 12


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["another every", "another engine", "garbage", "empty"])
def test_a_part_file_of_another_run_is_begun_afresh(pipeline, clip, tmp_path, monkeypatch, damage):
    target = tmp_path / "rows.csv"
    run(clip, Counting(pipeline, stop=5), csv=target, every=2 if damage == "another every" else 1)
    if damage == "another engine":
        monkeypatch.setattr(Counting, "identity", lambda self: {"engine": "int8"})
    elif damage != "another every":
        progress.progress_path(target).write_bytes(b"" if damage == "empty" else b"\xff\xfe nothing\n")
    second = Counting(pipeline)
    assert run(clip, second, csv=target)[0] == 0
    assert second.read == 12


def test_without_outputs_the_summary_is_all(pipeline, clip, tmp_path):
    status, out, _ = run(clip, pipeline)
    assert status == 0
    assert out.splitlines()[1].split() == ["track", "from", "(s)", "to", "(s)", "frames", "emotions"]
    assert out.splitlines()[2].split()[:4] == ["1", "0.00", "1.10", "12"]
    assert "nothing was kept" in run(clip, Counting(pipeline, stop=2))[2]


def test_a_video_without_faces(pipeline, tmp_path):
    clip = write_video(tmp_path / "blank.avi", [np.full((120, 160, 3), 80, np.uint8)] * 3)
    status, out, _ = run(clip, pipeline, csv=tmp_path / "rows.csv", annotate_dir=tmp_path / "out")
    assert (status, out) == (0, f"{clip}: no face found\n")
    assert rows_of(tmp_path / "rows.csv") == []
    assert (tmp_path / "out" / "blank.annotated.mp4").is_file()


def test_a_truncated_video_is_done_as_far_as_it_goes_and_named(pipeline, clip, tmp_path):
    cut = tmp_path / "cut.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    status, _, err = run(cut, pipeline, csv=tmp_path / "rows.csv")
    assert status == 1
    assert "claims 12 frames and gave" in err
    assert 3 < len(rows_of(tmp_path / "rows.csv")) < 12


class Damaged(VideoSource):
    """A video whose fifth frame cannot be decoded."""

    def read(self):
        frame = super().read()
        if frame is not None and frame.index == 4:
            self.damaged += 1
            raise FerlibError("Frame 4 of clip.avi is damaged and was passed over.")
        return frame


def test_a_frame_that_cannot_be_decoded_is_named_and_passed_over(pipeline, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "VideoSource", Damaged)
    status, _, err = run(clip, pipeline, csv=tmp_path / "rows.csv", annotate_dir=tmp_path / "out")
    assert status == 1
    assert err == "ferlib: Frame 4 of clip.avi is damaged and was passed over.\n"
    assert [row["frame"] for row in rows_of(tmp_path / "rows.csv")] == [str(k) for k in range(12) if k != 4]


def test_where_no_frame_can_be_drawn_there_is_no_video(pipeline, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(video.VideoLog, "tracked", lambda *_: iter(()))
    with pytest.raises(FerlibError, match=r"no frame of clip.avi could be read"):
        run(clip, pipeline, annotate_dir=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_a_run_that_goes_on_remembers_the_damage_before_it(pipeline, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "VideoSource", Damaged)
    assert run(clip, Counting(pipeline, stop=6), csv=tmp_path / "rows.csv")[0] == 130
    status, _, err = run(clip, pipeline, csv=tmp_path / "rows.csv")
    assert (status, err) == (1, "")  # named in the first part, counted in the second
    assert [row["frame"] for row in rows_of(tmp_path / "rows.csv")] == [str(k) for k in range(12) if k != 4]


def test_the_annotated_video_says_not_sure_below_the_threshold(pipeline, clip, tmp_path, monkeypatch):
    labels = set()
    monkeypatch.setattr(
        video, "annotate", lambda picture, faces, bars: labels.update(f.label for f in faces) or picture
    )
    run(clip, pipeline, annotate_dir=tmp_path / "out", threshold=1.0)
    assert labels == {"not sure"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [("no.mp4", None, "does not exist"), ("no.mp4", b"", "0 bytes"), ("no.mp4", b"text", "no frame that can be read")],
)
def test_what_is_no_video_leaves_nothing_behind(pipeline, tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FerlibError, match=sentence):
        run(tmp_path / name, pipeline, csv=tmp_path / "rows.csv")
    assert {path.name for path in tmp_path.iterdir()} <= {name}


def test_impossible_outputs_are_refused_before_any_work(pipeline, clip, tmp_path):
    with pytest.raises(FerlibError, match="is the video itself"):
        run(clip, pipeline, csv=clip)
    with pytest.raises(FerlibError, match="is a folder"):
        run(clip, pipeline, csv=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FerlibError, match="is a file"):
        run(clip, pipeline, annotate_dir=tmp_path / "file")


def all_frames(path):
    source, frames = VideoSource(path), []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("variable.mkv", [0.0, 0.03, 0.06, 0.5, 0.9, 1.43]),
        ("late.mkv", [5.6, 5.7, 5.8, 5.9]),
        ("lapse.mp4", [0, 60, 120, 180]),
    ],
)
def test_an_annotated_copy_keeps_the_times_of_the_video(tmp_path, name, times):
    clip = write_video(tmp_path / name, [np.full((96, 128, 3), 60, np.uint8)] * len(times), 30, "libx264", times)
    target, table = tmp_path / f"{clip.stem}.annotated.mp4", tmp_path / "rows.csv"
    status, _, err = run(clip, Plain(FakeDetector((10, 5, 60, 60))), annotate_dir=tmp_path, csv=table)
    assert (status, err) == (0, "")
    np.testing.assert_allclose([frame.time for frame in all_frames(target)], times, atol=1e-4)
    np.testing.assert_allclose([float(row["time"]) for row in rows_of(table)], times, atol=1e-3)


def test_an_annotated_copy_is_what_browsers_play(tmp_path):
    clip = write_video(tmp_path / "a.mkv", [np.full((96, 128, 3), 60, np.uint8)] * 3)
    run(clip, Plain(FakeDetector()), annotate_dir=tmp_path)
    target = tmp_path / "a.annotated.mp4"
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    data = target.read_bytes()
    assert data[4:8] == b"ftyp"
    assert 0 < data.index(b"moov") < data.index(b"mdat")  # it plays while it loads


def test_copies_of_videos_with_one_stem_do_not_replace_each_other(tmp_path):
    pictures = [np.full((96, 128, 3), grey, np.uint8) for grey in (40, 200)]
    first, second = (
        write_video(tmp_path / name, [picture] * 3) for name, picture in zip(("a.avi", "a.mkv"), pictures, strict=True)
    )
    for clip in (first, second, first, second):
        status, _, err = run(clip, Plain(FakeDetector()), annotate_dir=tmp_path / "out")
        assert status == 0
        assert err == ("" if clip == first else f"ferlib: a.annotated.mp4 is of another video; the copy of {clip} is "
                       "a-2.annotated.mp4.\n")  # fmt: skip
    levels = {path.name: int(all_frames(path)[0].image.mean()) for path in (tmp_path / "out").iterdir()}
    assert levels == {"a.annotated.mp4": pytest.approx(40, abs=4), "a-2.annotated.mp4": pytest.approx(200, abs=4)}


@pytest.mark.parametrize("spacing", [2, 10, 60])
def test_a_face_in_frames_far_apart_is_one_track(tmp_path, spacing):
    times = [spacing * index for index in range(10)]
    clip = write_video(tmp_path / "a.mkv", [np.full((96, 128, 3), 60, np.uint8)] * 10, 25, times=times)
    assert "1 face followed" in run(clip, Plain(FakeDetector((10, 5, 60, 60))), detect_every=6)[1]


class Walking(FakeDetector):
    """A detector of one face that goes 20 pixels to the right from call to call, a third of its width."""

    def __call__(self, image, min_face_size=None):
        self.calls += 1
        return [make_face((20 * self.calls, 50, 20 * self.calls + 60, 130))]


def test_a_face_that_moves_between_frames_two_seconds_apart_is_one_track(tmp_path):
    clip = write_video(tmp_path / "a.avi", [np.full((240, 320, 3), 60, np.uint8)] * 100, 5)
    detector = Walking()
    assert "1 face followed" in run(clip, Plain(detector), every=10)[1]
    assert detector.calls == 10


def test_nothing_is_followed_over_more_than_a_second(tmp_path):
    pictures = [np.full((96, 128, 3), 60, np.uint8)] * 6
    for rate, detections in ((0.5, 6), (10, 1)):
        detector = FakeDetector((10, 5, 60, 60))
        run(write_video(tmp_path / "a.avi", pictures, rate), Plain(detector), detect_every=6)
        assert detector.calls == detections


def test_two_people_in_frames_far_apart_are_two_tracks(tmp_path):
    clip = write_video(tmp_path / "a.avi", [np.full((240, 320, 3), 60, np.uint8)] * 5, 0.5)
    assert "2 faces followed" in run(clip, Plain(FakeDetector((10, 50, 70, 130), (200, 50, 260, 130))))[1]


def test_a_name_with_a_colon_is_read_and_copied(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", [np.full((96, 128, 3), 60, np.uint8)] * 3).rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert run("12:30.mp4", Plain(FakeDetector()), annotate_dir=".")[0] == 0
    assert len(all_frames("12:30.annotated.mp4")) == 3


def test_control_characters_of_a_name_do_not_reach_the_terminal(clip, tmp_path):
    cut = tmp_path / "a\x1b[2J\n.avi"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    _, out, err = run(cut, Plain(FakeDetector((10, 5, 60, 60))))
    assert r"a\x1b[2J\n.avi: 1 face followed" in out
    assert r"a\x1b[2J\n.avi" in err
    assert "\x1b" not in out + err


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    detector = FakeDetector((10, 10, 60, 60))
    peaks = []
    for count in (30, 300):
        clip = write_video(tmp_path / f"{count}.avi", [np.zeros((72, 96, 3), np.uint8)] * count)
        tracemalloc.start()
        assert run(clip, Plain(detector), csv=tmp_path / f"{count}.csv")[0] == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(rows_of(tmp_path / f"{count}.csv")) == count
    assert peaks[1] < 1.5 * peaks[0]


def test_the_part_file_is_lines_of_json(pipeline, clip, tmp_path):
    target = tmp_path / "rows.csv"
    run(clip, Counting(pipeline, stop=3), csv=target)
    header, *lines = [json.loads(line) for line in progress.progress_path(target).read_text().splitlines()]
    assert header["every"] == 1
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert len(lines[0]["faces"][0]["probabilities"]) == 8
