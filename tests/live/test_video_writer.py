import subprocess
import sys

import numpy as np
import pytest
from fakes import moving

from ferlib.errors import FerlibError
from ferlib.live.video_source import VideoSource
from ferlib.live.video_writer import VideoWriter, read_comment


def frames_of(path):
    source, frames = VideoSource(path), []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_what_is_written_is_read(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path, 10) as writer:
        for index, picture in enumerate(moving(photo, 6)):
            writer.write(picture, index / 10)
    frames = frames_of(path)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) / 10, atol=1e-5)
    for frame, picture in zip(frames, moving(photo, 6), strict=True):
        assert np.abs(frame.image.astype(int) - picture).mean() < 6


def test_pixels_do_not_depend_on_the_number_of_cores(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(np.zeros((480, 640, 3), np.uint8), 0)
    assert b" threads=1 lookahead_threads=1 sliced_threads=0 " in (tmp_path / "a.mp4").read_bytes()  # x264's own note


def test_times_are_kept_and_rise(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 25) as writer:
        for seconds in (1.5, 1.51, 1.51, 7.25):
            writer.write(np.zeros((48, 64, 3), np.uint8), seconds)
    times = [frame.time for frame in frames_of(path)]
    np.testing.assert_allclose(times, [1.5, 1.51, 1.51, 7.25], atol=1e-4)
    assert (np.diff(times) > 0).all()


def test_another_size_is_fitted_into_the_first_one(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 10) as writer:
        writer.write(np.full((101, 151, 3), 200, np.uint8), 0)
        writer.write(np.full((200, 100, 3), 200, np.uint8), 1)
    whole, fitted = (frame.image for frame in frames_of(path))
    assert whole.shape == fitted.shape == (100, 150, 3)
    assert whole.mean() == pytest.approx(200, abs=4)
    assert fitted[:, 75].mean() == pytest.approx(200, abs=8)
    assert fitted[:, :40].mean() < 8


def test_a_picture_of_one_pixel_is_a_video(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(np.zeros((1, 1, 3), np.uint8), 0)
    assert frames_of(tmp_path / "a.mp4")[0].image.shape == (2, 2, 3)


def test_a_comment_is_kept(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10, "copy of …") as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0)
    assert read_comment(tmp_path / "a.mp4") == "copy of …"
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert read_comment(tmp_path / "b.mp4") is None
    assert read_comment(tmp_path / "none.mp4") is None


def test_a_folder_that_is_missing_is_one_sentence(tmp_path):
    writer = VideoWriter(tmp_path / "no such folder" / "clip.mp4", 10)
    with pytest.raises(FerlibError, match=r"clip.mp4 could not be written as a video"):
        writer.write(np.zeros((48, 64, 3), np.uint8), 0)
    writer.close()


@pytest.mark.slow
def test_memory_is_flat_over_5000_frames(tmp_path):
    """Peak of the whole process, FFmpeg's memory included, in kilobytes."""
    program = """
import resource, sys
import numpy as np
from ferlib.live.video_source import VideoSource
from ferlib.live.video_writer import VideoWriter
path, count = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
pictures = rng.integers(0, 255, (4, 240, 320, 3), np.uint8)
with VideoWriter(path, 25) as writer:
    for index in range(count):
        writer.write(pictures[index % 4], index / 25)
source = VideoSource(path)
while source.read() is not None:
    pass
assert source.seen == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = [
        int(subprocess.run([sys.executable, "-c", program, tmp_path / "a.mp4", str(count)],
                           capture_output=True, text=True, check=True).stdout)
        for count in (250, 5000)
    ]  # fmt: skip
    assert peaks[1] < peaks[0] + 40_000
