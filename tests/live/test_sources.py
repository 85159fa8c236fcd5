import numpy as np
import pytest
from fakes import jpeg, moving, write_video
from PIL import Image

from ferlib.errors import FerlibError
from ferlib.live import sources
from ferlib.live.frames import as_rgb, decode_jpeg
from ferlib.live.sources import DeviceSource, PictureSource, open_source
from ferlib.live.video_source import VideoSource

RED = np.zeros((40, 60, 3), np.uint8) + np.array([250, 10, 10], np.uint8)


def test_a_jpeg_comes_back_as_rgb():
    picture = decode_jpeg(jpeg(RED))
    assert picture.shape == (40, 60, 3)
    np.testing.assert_allclose(picture.mean(axis=(0, 1)), [250, 10, 10], atol=6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_of_opencvs_forms_becomes_rgb(channels):
    picture = np.zeros((4, 5, channels), np.uint8)
    picture[..., 0] = 200  # blue, for OpenCV
    assert as_rgb(picture[..., 0] if channels == 1 else picture)[0, 0].tolist() == (
        [200, 200, 200] if channels == 1 else [0, 0, 200]
    )


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"GIF89a", b"\xff\xd8\xff\xc0" + b"\0" * 20, jpeg(RED)[:100]])
def test_what_is_no_jpeg_is_refused_with_a_sentence(data):
    with pytest.raises(FerlibError, match=r"passed over\.$"):
        decode_jpeg(data)


def test_a_huge_jpeg_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("ferlib.live.frames.cv2.imdecode", lambda *_: pytest.fail("decoded"))
    header = b"\xff\xd8\xff\xc0\x00\x11\x08" + (4320).to_bytes(2, "big") + (7680).to_bytes(2, "big") + b"\0" * 20
    with pytest.raises(FerlibError, match="7680 x 4320 is too large"):
        decode_jpeg(header)


def test_pictures_one_after_another(tmp_path):
    Image.fromarray(RED).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    source = PictureSource([tmp_path, RED[:10]], seconds=2)
    assert source.name == "3 pictures"
    first = source.read()
    assert (first.index, first.time, first.image.shape) == (0, 0.0, (40, 60, 3))
    with pytest.raises(FerlibError, match="not a picture"):
        source.read()
    last = source.read()
    assert (last.index, last.time, last.image.shape) == (2, 4.0, (10, 60, 3))
    assert source.read() is None


def test_a_closed_list_of_pictures_ends(tmp_path):
    source = PictureSource(RED)
    assert source.name == "1 picture"
    source.close()
    assert source.read() is None


def test_what_a_slide_show_leaves_out_is_said(tmp_path):
    Image.fromarray(RED).save(tmp_path / "a.png")
    for name in ("b.heic", "c.mov", "notes.txt"):
        (tmp_path / name).write_bytes(b"...")
    with pytest.warns(UserWarning, match=r"left out of the folders: 1 HEIC photo \(export as JPEG\), 1 video"):
        source = PictureSource(tmp_path)
    assert source.name == "1 picture"
    assert source.left_out == "1 HEIC photo (export as JPEG), 1 video (give each alone)"
    assert PictureSource(RED).left_out == ""


def test_no_pictures_is_an_error():
    with pytest.raises(FerlibError, match="no pictures"):
        PictureSource([])


class FakeCapture:
    """OpenCV's camera: gives `pictures`, None for a failed reading."""

    def __init__(self, pictures, opened=True):
        self.pictures, self.opened, self.settings = list(pictures), opened, {}

    def isOpened(self):
        return self.opened

    def set(self, name, value):
        self.settings[name] = value

    def read(self):
        picture = self.pictures.pop(0) if self.pictures else None
        return picture is not None, picture

    def release(self):
        self.opened = False


def with_camera(monkeypatch, capture):
    monkeypatch.setattr(sources.cv2, "VideoCapture", lambda device: capture)
    return DeviceSource()


def test_the_kernels_camera_gives_rgb_and_survives_a_hiccup(monkeypatch):
    capture = FakeCapture([RED[..., ::-1], None, RED[..., ::-1]])
    source = with_camera(monkeypatch, capture)
    assert capture.settings[sources.cv2.CAP_PROP_BUFFERSIZE] == 1
    first = source.read()
    np.testing.assert_array_equal(first.image, RED)
    with pytest.raises(FerlibError, match="gave no picture"):
        source.read()
    second = source.read()
    assert (first.index, second.index) == (0, 1)
    assert second.time >= first.time


def test_an_unplugged_camera_ends_the_stream(monkeypatch):
    source = with_camera(monkeypatch, FakeCapture([]))
    for _ in range(30):
        with pytest.raises(FerlibError):
            source.read()
    assert source.read() is None


def test_a_closed_camera_is_off(monkeypatch):
    source = with_camera(monkeypatch, FakeCapture([RED]))
    source.close()
    source.close()
    assert source.read() is None


def test_no_camera_at_the_kernel_is_one_sentence(monkeypatch):
    with pytest.raises(FerlibError, match="Camera 0 of the kernel's machine cannot be opened"):
        with_camera(monkeypatch, FakeCapture([], opened=False))


def test_each_kind_of_source_is_recognised(tmp_path, photo, monkeypatch):
    Image.fromarray(RED).save(tmp_path / "a.png")
    clip = write_video(tmp_path / "a.avi", moving(photo, 2))
    monkeypatch.setattr(sources.cv2, "VideoCapture", lambda device: FakeCapture([]))
    assert isinstance(open_source("device"), DeviceSource)
    assert isinstance(open_source(1), DeviceSource)
    assert isinstance(open_source(tmp_path / "a.png"), PictureSource)
    assert isinstance(open_source([RED, RED]), PictureSource)
    assert isinstance(open_source(RED), PictureSource)
    monkeypatch.undo()
    assert isinstance(open_source(str(clip)), VideoSource)
    ready = PictureSource(RED)
    assert open_source(ready) is ready
    assert open_source(lambda: ready) is ready
    with pytest.raises(FerlibError, match="no source at the kernel"):
        open_source("browser")
    for nonsense in (None, True, 3.5):
        with pytest.raises(FerlibError, match="no source of frames"):
            open_source(nonsense)
