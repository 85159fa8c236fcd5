import errno
import os
import struct
import threading

import numpy as np
import pytest
from picture_files import STORED, noise, png_header, save, save_oriented
from PIL import Image, PngImagePlugin

from ferlib.errors import FerlibError
from ferlib.faces.pictures import MAX_PIXELS, check_picture, find_pictures, load_picture, sample_picture


def test_rgb_comes_back_as_stored_in_rgb_order(tmp_path):
    picture = noise()
    picture[0, 0] = [255, 0, 0]
    loaded = load_picture(save(tmp_path / "a.png", picture))
    np.testing.assert_array_equal(loaded, picture)
    assert loaded.dtype == np.uint8
    assert loaded.flags.writeable


def test_greyscale(tmp_path):
    grey = noise()[..., 0]
    np.testing.assert_array_equal(load_picture(save(tmp_path / "a.png", grey)), np.repeat(grey[..., None], 3, 2))


def test_one_bit(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(noise()[..., 0] > 127))
    assert set(np.unique(load_picture(path))) == {0, 255}


def test_palette(tmp_path):
    indexed = Image.fromarray(noise()).quantize(16)
    loaded = load_picture(save(tmp_path / "a.png", indexed))
    np.testing.assert_array_equal(loaded, np.asarray(indexed.convert("RGB")))
    assert loaded.shape == (20, 30, 3)


def test_transparent_palette_colour_becomes_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    loaded = load_picture(save(tmp_path / "a.png", image, transparency=0))
    assert loaded.tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_rgba_is_laid_on_white(tmp_path):
    pixels = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    loaded = load_picture(save(tmp_path / "a.png", pixels))
    assert loaded[0, :2].tolist() == [[200, 0, 0], [255, 255, 255]]
    assert abs(int(loaded[0, 2, 0]) - 127) <= 1


def test_grey_with_alpha_is_laid_on_white(tmp_path):
    image = Image.fromarray(np.array([[[90, 255], [90, 0]]], np.uint8), "LA")
    assert load_picture(save(tmp_path / "a.png", image)).tolist() == [[[90] * 3, [255] * 3]]


def test_cmyk(tmp_path):
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))  # red
    loaded = load_picture(save(tmp_path / "a.tif", image))
    assert loaded[0, 0].tolist() == [255, 0, 0]
    red = load_picture(save(tmp_path / "a.jpg", image, quality=95))[0, 0]
    assert red[0] > 240
    assert red[1:].max() < 15


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 128, 257, 32896, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        loaded = load_picture(save(tmp_path / name, values))
        assert loaded[0, :, 0].tolist() == [0, 0, 1, 128, 255], name


def test_sixteen_bits_in_a_pgm(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 65535, 32896))
    assert load_picture(path)[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),  # 8-bit values in a wider type
        (np.array([[0, 32896, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0, 50_000, 100_000]], np.int32), [0, 128, 255]),  # neither: stretched
        (np.array([[-100, 0, 104]], np.int32), [0, 125, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 127.5, 255]], np.float32), [0, 128, 255]),
        (np.array([[0, np.nan, 1]], np.float32), [0, 0, 255]),
    ],
)
def test_wide_integers_and_floats(tmp_path, values, expected):
    assert load_picture(save(tmp_path / "a.tif", Image.fromarray(values)))[0, :, 0].tolist() == expected


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png"):
        options = {"lossless": True} if name == "a.webp" else {}
        path = save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], **options)
        with pytest.warns(UserWarning, match="has several frames; only the first one is read"):
            picture = load_picture(path)
        assert picture[2, 2].tolist() == [255, 0, 0], name


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_every_exif_orientation_is_made_upright(tmp_path, orientation, suffix):
    upright = noise(8, 14)
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save_oriented(tmp_path / f"a{suffix}", upright, orientation, **options)
    np.testing.assert_array_equal(load_picture(path), upright)


def test_damaged_exif_leaves_the_picture_as_stored(tmp_path, recwarn):
    path = save(tmp_path / "a.jpg", noise(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert load_picture(path).shape == (20, 30, 3)
    assert not recwarn.list


def test_pillow_image_in_memory_is_not_changed():
    image = Image.fromarray(noise()).convert("RGBA")
    assert load_picture(image).shape == (20, 30, 3)
    assert image.mode == "RGBA"


@pytest.mark.parametrize("name", ["with space.png", "žluťoučký kůň.png", "顔.png", "😀.png", "no_suffix"])
def test_names(tmp_path, name):
    assert load_picture(save(tmp_path / name, noise(), format="PNG")).shape == (20, 30, 3)


@pytest.mark.parametrize("size", [(1, 1), (20, 20000), (20000, 20)])
def test_extreme_shapes_are_pictures(tmp_path, size):
    path = save(tmp_path / "a.png", np.zeros((*size, 3), np.uint8))
    assert load_picture(path).shape == (*size, 3)


def refused(path, *words):
    with pytest.raises(FerlibError) as caught:
        load_picture(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.endswith(".")
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_missing_path(tmp_path):
    refused(tmp_path / "no.jpg", "does not exist")


def test_folder(tmp_path):
    refused(tmp_path, "is a folder")


def test_empty_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch()
    refused(path, "empty")


def test_no_picture(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("hello, this is text")
    refused(path, "not a picture", "JPEG or PNG")


def test_heic_says_what_to_do(tmp_path):
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    refused(path, "export it as JPEG")


def test_postscript_is_not_run(tmp_path):
    path = tmp_path / "a.eps"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    refused(path, "not a picture")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".webp", ".tif", ".ppm"])
def test_truncated(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", noise(120, 160))
    assert load_picture(path).shape == (120, 160, 3)
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        refused(path, "again")


@pytest.mark.parametrize("error", [RuntimeError("Failed to decode frame 0"), ValueError("tile"), OSError("broken")])
def test_whatever_a_reader_raises_is_damage(tmp_path, monkeypatch, error):
    path = save(tmp_path / "a.png", noise(6, 6))

    def fail(self):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    refused(path, "damaged")


def test_damaged_inside(tmp_path):
    path = save(tmp_path / "a.png", noise(60, 60))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refused(path, "damaged")


@pytest.mark.parametrize("side", [10_100, 12_000, 20_000, 2_000_000])
def test_decompression_bomb(tmp_path, recwarn, side):
    path = png_header(tmp_path / "a.png", side, side)
    assert side * side > MAX_PIXELS
    refused(path, "100 megapixels", "scale it down")
    assert not recwarn.list


def test_below_the_limit_there_is_no_warning(tmp_path, recwarn):
    path = png_header(tmp_path / "a.png", 9_500, 10_000)  # between Pillow's limit and ours
    refused(path, "damaged")  # so it got as far as decoding
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipe_is_refused_without_waiting(tmp_path):
    path = tmp_path / "a.jpg"
    os.mkfifo(path)
    refused(path, "not a regular file")


def test_lab_is_refused(tmp_path):
    path = save(tmp_path / "a.tif", Image.new("LAB", (4, 4)))
    refused(path, "LAB")


def test_threads_may_load_at_once(tmp_path):
    path, results = save(tmp_path / "a.png", noise()), []
    threads = [threading.Thread(target=lambda: results.append(load_picture(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(np.array_equal(result, noise()) for result in results)


def test_find_pictures(tmp_path):
    names = ["b.JPG", "a.png", "sub/c.WebP", "sub/deep/d.tiff", "é ü.jpeg"]
    others = ["notes.txt", ".hidden.png", ".cache/e.png", "a.annotated.png", "jpg"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pictures = find_pictures(tmp_path)
    assert pictures == sorted(tmp_path / name for name in names)


def test_find_pictures_gives_a_named_file_whatever_it_is(tmp_path):
    path = tmp_path / "x.annotated.png"
    path.touch()
    assert find_pictures(str(path)) == [path]


def test_empty_folder(tmp_path):
    with pytest.raises(FerlibError, match="holds no pictures"):
        find_pictures(tmp_path)


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_found(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    walk, refused = os.walk, []

    def refusing(path, onerror):
        onerror(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "private")))
        return walk(path)

    monkeypatch.setattr(os, "walk", refusing)
    with pytest.raises(FerlibError, match=r"private cannot be read .Permission denied.; check its permissions"):
        find_pictures(tmp_path)
    assert find_pictures(tmp_path, refused.append) == [tmp_path / "a.png"]
    assert "private cannot be read" in str(refused[0])
    (tmp_path / "a.png").unlink()
    assert find_pictures(tmp_path, refused.append) == []


def test_find_pictures_missing(tmp_path):
    with pytest.raises(FerlibError, match="does not exist"):
        find_pictures(tmp_path / "no")


def test_sample_picture():
    picture = sample_picture()
    check_picture(picture)
    assert picture.shape == (512, 512, 3)
    picture[:] = 0
    assert sample_picture().any()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[1, 2, 3]],
    ],
)
def test_check_picture(wrong):
    with pytest.raises(FerlibError, match="load_picture"):
        check_picture(wrong)
