import cv2
import numpy as np
import pytest
from fakes import jpeg, moving, write_video

from ferlib.errors import FerlibError
from ferlib.live import video_source
from ferlib.live.video_source import VideoSource, is_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory, photo):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.avi", moving(photo, 20), rate=10)


def read_all(source):
    frames, errors = [], []
    while True:
        try:
            frame = source.read()
        except FerlibError as error:
            errors.append(str(error))
            continue
        if frame is None:
            return frames, errors
        frames.append(frame)


def test_every_frame_with_its_time(clip, photo):
    source = VideoSource(clip)
    frames, errors = read_all(source)
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 10, atol=1e-6)
    assert (errors, source.missing, source.damaged, source.rate) == ([], 0, 0, 10.0)
    expected = next(moving(photo, 1))
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 6  # RGB, not BGR


def test_one_frame_in_three_and_a_later_start(clip):
    assert [frame.index for frame in read_all(VideoSource(clip, every=3))[0]] == [0, 3, 6, 9, 12, 15, 18]
    later = read_all(VideoSource(clip, every=3, start=10))[0]
    assert [frame.index for frame in later] == [12, 15, 18]
    assert later[0].time == pytest.approx(1.2)
    assert read_all(VideoSource(clip, start=99))[0] == []
    with pytest.raises(FerlibError, match="every"):
        VideoSource(clip, every=0)


def test_a_closed_video_ends(clip):
    source = VideoSource(clip)
    source.close()
    assert source.read() is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.mp4", None, "does not exist"),
        ("empty.mp4", b"", "0 bytes"),
        ("text.mp4", b"hello" * 100, "no frame that can be read"),
        (".", None, "is a folder"),
    ],
)
def test_what_is_no_video_is_one_sentence(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FerlibError, match=sentence):
        VideoSource(tmp_path / name)


def test_a_video_without_frames(tmp_path):
    cv2.VideoWriter(str(tmp_path / "none.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 64)).release()
    with pytest.raises(FerlibError, match="no frame that can be read"):
        VideoSource(tmp_path / "none.avi")


def test_a_truncated_video_gives_what_is_there_and_counts_the_rest(tmp_path, clip):
    (tmp_path / "cut.avi").write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    source = VideoSource(tmp_path / "cut.avi")
    frames, _ = read_all(source)
    assert 5 < len(frames) < 20
    assert source.missing == 20 - len(frames)


def test_a_truncated_mp4_has_no_index_and_is_refused(tmp_path, photo):
    video = write_video(tmp_path / "a.mp4", moving(photo, 10))
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(FerlibError, match="cut short"):
        VideoSource(tmp_path / "cut.mp4")


def test_damaged_bytes_in_the_middle_cost_some_frames_only(tmp_path, clip):
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(0).integers(0, 256, 6000, dtype=np.uint8).tobytes()
    (tmp_path / "bad.avi").write_bytes(data)
    source = VideoSource(tmp_path / "bad.avi")
    frames, errors = read_all(source)
    assert 15 <= len(frames) <= 20
    assert len(frames) + len(errors) + source.missing == 20


def test_a_raw_stream_without_rate_or_length(tmp_path, photo):
    (tmp_path / "raw.mjpeg").write_bytes(b"".join(jpeg(picture) for picture in moving(photo, 5)))
    source = VideoSource(tmp_path / "raw.mjpeg")
    frames, _ = read_all(source)
    assert len(frames) == 5
    assert (source.claimed, source.missing) == (None, 0)
    assert (np.diff([frame.time for frame in frames]) > 0).all()


class FakeCapture:
    """A file that says what it likes of itself; None stands for a frame that cannot be decoded."""

    def __init__(self, pictures, rate, claimed, stamps=None):
        self.pictures, self.at, self.opened = pictures, -1, True
        self.said = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: claimed}
        self.stamps = stamps or [0.0] * len(pictures)

    def isOpened(self):
        return self.opened

    def get(self, name):
        return self.stamps[self.at] if name == cv2.CAP_PROP_POS_MSEC else self.said[name]

    def grab(self):
        self.at += 1
        return self.at < len(self.pictures)

    def retrieve(self):
        return self.pictures[self.at] is not None, self.pictures[self.at]

    def release(self):
        self.opened = False


def fake(monkeypatch, clip, *arguments):
    monkeypatch.setattr(video_source.cv2, "VideoCapture", lambda path: FakeCapture(*arguments))
    return VideoSource(clip)


@pytest.mark.parametrize("rate", [0.0, float("nan"), -1.0, 90000.0])
def test_without_a_frame_rate_25_is_assumed(monkeypatch, clip, rate):
    source = fake(monkeypatch, clip, [np.zeros((8, 8, 3), np.uint8)] * 4, rate, 4)
    assert (source.rate, source.assumed) == (25.0, True)
    np.testing.assert_allclose([frame.time for frame in read_all(source)[0]], np.arange(4) / 25)


@pytest.mark.parametrize("claimed", [1000.0, 2.0, -9.2e18, float("nan")])
def test_a_lying_frame_count_is_not_believed(monkeypatch, clip, claimed):
    source = fake(monkeypatch, clip, [np.zeros((8, 8, 3), np.uint8)] * 5, 10.0, claimed)
    assert len(read_all(source)[0]) == 5
    assert source.missing == (995 if claimed == 1000 else 0)


def test_times_that_stand_still_are_replaced_by_the_rate(monkeypatch, clip):
    source = fake(monkeypatch, clip, [np.zeros((8, 8, 3), np.uint8)] * 3, 10.0, 3, [0.0, 0.0, 0.0])
    np.testing.assert_allclose([frame.time for frame in read_all(source)[0]], [0, 0.1, 0.2])


def test_a_frame_that_cannot_be_decoded_is_named_and_passed_over(monkeypatch, clip):
    picture = np.zeros((8, 8, 3), np.uint8)
    source = fake(monkeypatch, clip, [picture, None, picture], 10.0, 3)
    frames, errors = read_all(source)
    assert [frame.index for frame in frames] == [0, 2]
    assert errors == ["Frame 1 of clip.avi is damaged and was passed over."]
    assert (source.damaged, source.missing) == (1, 0)


def test_videos_are_known_by_their_suffix():
    assert is_video("a.MP4")
    assert is_video("a.webm")
    assert not is_video("a.jpg")
    assert not is_video("mp4")
