import numpy as np

from ferlib.live.video_source import VideoSource
from ferlib.samples.sheet import VARIANTS, face_sheet, moving_clip, write_clip


def test_a_face_is_found_under_each_condition(detector):
    sheet = face_sheet()
    assert sheet.shape == (560, 900, 3)
    assert len(detector(sheet)) == len(VARIANTS)


def test_in_the_clip_one_face_stays_and_one_leaves_and_returns(detector):
    frames = list(moving_clip(2, 5))
    assert {frame.shape for frame in frames} == {(480, 640, 3)}
    assert [len(detector(frame)) for frame in frames] == [2, 2, 2, 1, 1, 1, 2, 2, 2, 2]


def test_the_clip_can_be_read_back(tmp_path):
    for suffix in (".mp4", ".avi"):
        source = VideoSource(write_clip(tmp_path / f"clip{suffix}", 1, 5))
        first = source.read()
        assert source.claimed == 5
        assert np.abs(first.image.astype(int) - next(moving_clip(1, 5))).mean() < 8
