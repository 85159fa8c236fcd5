from fractions import Fraction

import av
import numpy as np
import pytest
from fakes import jpeg, moving, write_video

from ferlib.errors import FerlibError
from ferlib.faces.left_out import is_video
from ferlib.live import video_decoding
from ferlib.live.video_source import VideoSource
from ferlib.live.video_writer import VideoWriter


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


def test_a_video_without_frames(tmp_path, photo):
    write_video(tmp_path / "none.avi", moving(photo, 1))
    data = (tmp_path / "none.avi").read_bytes()
    (tmp_path / "none.avi").write_bytes(data[: data.index(b"movi") + 4])
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


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_times_of_a_variable_rate_are_the_frames_own(tmp_path, photo, suffix):
    times = [0.0, 0.02, 0.04, 1.0, 1.03, 5.0, 9.43]
    source = VideoSource(write_video(tmp_path / f"a{suffix}", moving(photo, 7), 30, "libx264", times))
    frames, errors = read_all(source)
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-6)
    assert (errors, source.missing, source.damaged, source.shortfall) == ([], 0, 0, None)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_late_start_is_no_damage(tmp_path, photo, suffix):
    times = [5.6 + index / 10 for index in range(8)]
    source = VideoSource(write_video(tmp_path / f"late{suffix}", moving(photo, 8), 10, "libx264", times))
    np.testing.assert_allclose([frame.time for frame in read_all(source)[0]], times, atol=1e-6)
    assert source.shortfall is None


def test_two_thousand_frames_a_second(tmp_path, photo):
    source = VideoSource(write_video(tmp_path / "fast.mp4", moving(photo, 12), 2000))
    frames, _ = read_all(source)
    assert (source.rate, source.assumed) == (2000, False)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 2000, atol=1e-6)


def test_a_broadcast_counts_from_its_beginning_and_over_a_break(tmp_path, photo):
    first, second = (
        write_video(tmp_path / f"{name}.ts", moving(photo, 10), 10, "libx264", np.arange(10) / 10 + start)
        for name, start in (("a", 500), ("b", 3))
    )
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    times = [frame.time for frame in read_all(VideoSource(tmp_path / "both.ts"))[0]]
    np.testing.assert_allclose(times, np.arange(20) / 10, atol=1e-3)


def bars(count, interlaced=False, size=(192, 160), step=4):
    """A white bar on grey goes to the right; interlaced: the odd lines show it half a step later."""
    for index in range(count):
        picture = np.full((size[1], size[0], 3), 60, np.uint8)
        left = 20 + index * step
        picture[:, left : left + 40] = 220
        if interlaced:
            picture[1::2] = 60
            picture[1::2, left + step // 2 : left + 40 + step // 2] = 220
        yield picture


def combing(picture):
    """Mean difference of neighbouring lines."""
    return np.abs(np.diff(picture[..., 1].astype(int), axis=0)).mean()


@pytest.mark.parametrize(
    ("name", "code", "options"),
    [
        ("a.mpg", "mpeg2video", {"flags": "+ildct+ilme"}),
        ("a.vob", "mpeg2video", {"flags": "+ildct+ilme"}),
        ("a.mts", "libx264", {"x264-params": "tff=1"}),
        ("a.mkv", "libx264", {"x264-params": "tff=1"}),
    ],
)
def test_interlaced_video_becomes_whole_frames(tmp_path, name, code, options):
    path = write_video(tmp_path / name, bars(12, interlaced=True), 25, code, qmin="1", qmax="4", **options)
    source = VideoSource(path)
    frames, errors = read_all(source)
    assert [frame.index for frame in frames] == list(range(12))
    np.testing.assert_allclose(np.diff([frame.time for frame in frames]), 0.04, atol=1e-3)
    assert (errors, source.shortfall) == ([], None)
    stored = list(bars(12, interlaced=True))
    for frame, before in list(zip(frames, stored, strict=True))[1:-1]:
        assert combing(frame.image) < 0.35 * combing(before)
        assert np.abs(frame.image.astype(int) - before).mean() < 8


def test_progressive_frames_are_not_touched_by_the_deinterlacer(tmp_path):
    stripes = np.full((160, 192, 3), 60, np.uint8)
    stripes[::2] = 200  # every other line, which a deinterlacer would blur
    path = write_video(tmp_path / "a.mkv", [stripes] * 4, 25, "libx264", qp="1")
    assert combing(read_all(VideoSource(path))[0][2].image) > 0.9 * combing(stripes)


@pytest.mark.parametrize(
    ("suffix", "code", "aspect", "shape"),
    [
        (".mp4", "libx264", "2/1", (160, 384)),
        (".mkv", "libx264", "2/1", (160, 384)),
        (".mts", "libx264", "16/15", (160, 205)),
        (".mp4", "libx264", "8/9", (180, 192)),
        (".mpg", "mpeg2video", "10/9", (160, 213)),  # a picture of 4:3, as MPEG-2 has it
        (".mp4", "libx264", "1/1", (160, 192)),
        (".mp4", "libx264", "50/1", (160, 192)),  # not believed
    ],
)
def test_pixels_become_square(tmp_path, suffix, code, aspect, shape):
    path = write_video(tmp_path / f"a{suffix}", bars(8), 25, code, aspect=Fraction(aspect))
    assert {frame.image.shape[:2] for frame in read_all(VideoSource(path))[0]} == {shape}


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_recording_stands_upright(tmp_path, degrees):
    upright = next(bars(1))
    upright[:40, :40] = (250, 20, 20)
    stored = np.rot90(upright, -degrees // 90)  # a player turns it back, against the clock
    path = write_video(tmp_path / "a.mp4", [stored] * 3, rotation=degrees)
    picture = read_all(VideoSource(path))[0][1].image
    assert picture.shape == upright.shape
    assert np.abs(picture.astype(int) - upright).mean() < 6


def test_each_frame_keeps_its_own_size(tmp_path):
    parts = [
        write_video(tmp_path / f"{size[0]}.ts", bars(6, size=size), 25, "libx264", np.arange(6) / 25 + start)
        for size, start in (((192, 160), 0), ((320, 240), 1), ((160, 288), 2))
    ]
    (tmp_path / "all.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    sizes = [frame.image.shape[1::-1] for frame in read_all(VideoSource(tmp_path / "all.ts"))[0]]
    assert list(dict.fromkeys(sizes)) == [(192, 160), (320, 240), (160, 288)]
    assert len(sizes) == 18


@pytest.mark.parametrize(("suffix", "code"), [(".mkv", "libx264"), (".webm", "libvpx-vp9"), (".avi", "mjpeg")])
def test_a_cut_file_says_so(tmp_path, photo, suffix, code):
    quick = {"deadline": "realtime", "cpu-used": "8"} if code == "libvpx-vp9" else {}
    path = write_video(tmp_path / f"a{suffix}", moving(photo, 40), 10, code, g="4", **quick)
    source = VideoSource(path)
    assert len(read_all(source)[0]) == 40
    assert source.shortfall is None
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    source = VideoSource(cut)
    frames, errors = read_all(source)
    assert 10 < len(frames) < 40
    assert errors == []
    assert source.shortfall.startswith("claims ")


def test_a_cut_mp4_whose_index_comes_first(tmp_path, photo):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 10) as writer:
        for index, picture in enumerate(moving(photo, 40)):
            writer.write(picture, index / 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    source = VideoSource(path)
    frames, _ = read_all(source)
    assert 10 < len(frames) < 40
    assert source.shortfall == f"claims 40 frames and gave {40 - source.missing}"


def test_a_trimmed_mp4_is_not_cut_short(tmp_path, photo):
    """A phone trims by an edit list: the frames before it stay in the file and are not shown."""
    path = write_video(tmp_path / "a.mp4", moving(photo, 30), 10, tune="zerolatency")
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(path)) as whole, av.open(str(tmp_path / "b.mp4"), "w", options=options) as trimmed:
        stream = trimmed.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                second = round(1 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - second, packet.dts - second, stream
                trimmed.mux(packet)
    source = VideoSource(tmp_path / "b.mp4")
    frames, errors = read_all(source)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 10, atol=1e-3)
    assert (errors, source.missing, source.shortfall) == ([], 0, None)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_expected_number_of_frames_is_for_progress_bars(tmp_path, photo, suffix):
    source = VideoSource(write_video(tmp_path / f"a{suffix}", moving(photo, 30), 10, "libx264"))
    assert (source.expected, source.claimed) == (30, None if suffix == ".mkv" else 30)


def test_a_name_with_a_colon_is_no_address(tmp_path, photo, monkeypatch):
    write_video(tmp_path / "a.mp4", moving(photo, 3)).rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read_all(VideoSource("12:30.mp4"))[0]) == 3


def test_a_name_that_is_not_utf_8(tmp_path, photo):
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    write_video(tmp_path / "a.mp4", moving(photo, 3)).rename(tmp_path / name)
    assert len(read_all(VideoSource(tmp_path / name))[0]) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ffconcat version 1.0\nfile other.mp4\n", "list of other files"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n", "list of other files"),
        ("# a comment\nffconcat version 1.0\nfile other.mp4\n", "no frame that can be read"),
        ("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n", "list of other files"),
    ],
)
def test_a_playlist_does_not_open_another_file(tmp_path, photo, text, sentence):
    write_video(tmp_path / "other.mp4", moving(photo, 3))
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(FerlibError, match=sentence):
        VideoSource(tmp_path / "list.mp4")


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(tmp_path, photo, monkeypatch):
    path = write_video(tmp_path / "a.mp4", moving(photo, 3))
    monkeypatch.setattr(video_decoding, "LARGEST_FRAME", 320 * 240 - 1)
    with pytest.raises(FerlibError, match="320 x 240 pixels, and 0 million"):
        VideoSource(path)


def test_a_stream_that_grows_too_large_is_damaged_from_there_on(tmp_path, monkeypatch):
    parts = [
        write_video(tmp_path / f"{size[0]}.ts", bars(6, size=size), 25, "libx264", np.arange(6) / 25 + start)
        for size, start in (((192, 160), 0), ((640, 480), 1))
    ]
    (tmp_path / "all.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    monkeypatch.setattr(video_decoding, "LARGEST_FRAME", 320 * 240)
    frames, errors = read_all(VideoSource(tmp_path / "all.ts"))
    assert {frame.image.shape for frame in frames} == {(160, 192, 3)}
    assert errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.vob", "mpeg2video"),
        ("a.asf", "mpeg4"),
        ("a.h264", "libx264"),
        ("a.av1", "libsvtav1"),
        ("a.mts", "libx264"),
        ("a.mkv", "ffv1"),
        ("a.webm", "libvpx-vp9"),
        ("a.flv", "libx264"),
    ],
)
def test_formats_of_recorders_are_read(tmp_path, photo, name, code):
    assert is_video(name)
    source = VideoSource(write_video(tmp_path / name, moving(photo, 10), 25, code))
    frames, errors = read_all(source)
    assert (len(frames), errors, source.shortfall) == (10, [], None)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(10) / 25, atol=2e-3)
    expected = list(moving(photo, 10))[5]
    assert np.abs(frames[5].image.astype(int) - expected).mean() < 8


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(FerlibError, match="no moving pictures"):
        VideoSource(tmp_path / "a.mp4")


def test_damaged_packets_are_named_and_passed_over(tmp_path, photo):
    path = write_video(tmp_path / "a.mkv", moving(photo, 20), 10, "libx264", tune="zerolatency")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        victim = next(packet for index, packet in enumerate(container.demux(video=0)) if index == 9)
    place = data.find(bytes(victim))
    data[place : place + 5] = b"\xff" * 5  # the length of a NAL unit
    path.write_bytes(data)
    source = VideoSource(path)
    frames, errors = read_all(source)
    assert errors == ["Frame 9 of a.mkv is damaged and was passed over."]
    assert (source.damaged, len(frames), source.missing) == (1, 19, 0)


def test_an_unknown_codec_is_one_sentence(tmp_path, photo):
    path = write_video(tmp_path / "a.mkv", moving(photo, 5), 10, "libx264")
    data = path.read_bytes()
    assert b"V_MPEG4/ISO/AVC" in data
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(FerlibError, match="coded in a way that is not known"):
        VideoSource(path)


@pytest.mark.parametrize(
    ("suffix", "code"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mjpeg"), (".mts", "libx264"), (".mpg", "mpeg2video"),
     (".asf", "mpeg4"), (".flv", "libx264"), (".h264", "libx264")],
)  # fmt: skip
def test_damaged_files_end_in_frames_whose_times_rise_or_in_a_sentence(tmp_path, suffix, code):
    whole = write_video(tmp_path / f"a{suffix}", bars(12), 25, code).read_bytes()
    rng = np.random.default_rng(0)
    path, read, refused = tmp_path / f"b{suffix}", 0, 0
    for attempt in range(25):
        data = bytearray(whole[: rng.integers(1, len(whole))] if attempt % 3 == 0 else whole)
        for place in rng.integers(0, min(len(data), 600 if attempt % 3 == 1 else len(data)), 12):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            source = VideoSource(path)
        except FerlibError:
            refused += 1
            continue
        times = [frame.time for frame in read_all(source)[0]]
        source.close()
        assert np.isfinite(times).all()
        assert (np.diff(times) > 0).all()
        read += 1
    assert read + refused == 25
    assert read


def test_videos_are_known_by_their_suffix():
    assert is_video("a.MP4")
    assert is_video("a.webm")
    assert not is_video("a.jpg")
    assert not is_video("mp4")
