"""Whatever a file holds, decoding gives a picture or one sentence, within a budget of memory and of time."""

import io
import random
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from picture_files import noise, save
from PIL import Image, PngImagePlugin

from ferlib.errors import FerlibError
from ferlib.faces import decoding
from ferlib.faces.contents import describe_content
from ferlib.faces.pictures import decode_picture, load_picture


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, kind=2, extra=b""):
    """A PNG of 8 bits whose data is cut short."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg_of_scans(count):
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(Image.fromarray(noise(64, 64)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + b"\xff\xd9"


def refused(data, *parts):
    with pytest.raises(FerlibError) as caught:
        decode_picture(data, "x.jpg")
    sentence = str(caught.value)
    assert sentence.startswith("x.jpg ")
    assert sentence.endswith(".")
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize("size", [(99_999_999, 1), (1, 99_999_999), (1, 100_000_000)])
def test_a_side_beyond_all_cameras_is_refused_by_the_header(size):
    refused(png(*size), "a side of more than 100,000 pixels")


def test_a_long_panorama_is_read():
    assert decode_picture(encoded(Image.new("RGB", (90_000, 3), "red"), "PNG"), "x").shape == (3, 90_000, 3)


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once():
    start = time.perf_counter()
    refused(jpeg_of_scans(4000), "more than 200 scans")
    assert time.perf_counter() - start < 2


def test_a_jpeg_of_some_scans_is_read():
    assert decode_picture(jpeg_of_scans(40), "x").shape == (64, 64, 3)


def test_scan_markers_behind_the_picture_do_not_count(tmp_path):
    path = tmp_path / "motion.jpg"  # phones put a video there
    path.write_bytes(encoded(Image.fromarray(noise()), "JPEG") + b"\xff\xda\0\x02" * 5000)
    assert load_picture(path).shape == (20, 30, 3)


@pytest.mark.parametrize(
    "error", [AssertionError(), MemoryError(), RecursionError(), ZeroDivisionError(), AttributeError("x")]
)
@pytest.mark.parametrize("step", ["load", "_open"])
def test_whatever_a_reader_raises_is_one_sentence(monkeypatch, error, step):
    def fail(self):
        raise error

    monkeypatch.setattr(PngImagePlugin.PngImageFile, step, fail)
    refused(encoded(Image.new("RGB", (4, 4)), "PNG"), "memory" if isinstance(error, MemoryError) else "damaged")


@pytest.mark.parametrize(
    "extra", [b"", chunk(b"PLTE", b""), chunk(b"PLTE", b"\1\2\3\4"), chunk(b"tRNS", b"\0"), chunk(b"PLTE", b"\1" * 900)]
)
def test_a_malformed_palette_is_read_or_refused(extra):
    try:
        assert decode_picture(png(4, 4, 3, extra), "x.png").shape == (4, 4, 3)
    except FerlibError as error:
        assert "damaged" in str(error)  # noqa: PT017 - either answer is right


@pytest.mark.parametrize(("form", "megapixels"), [("WEBP", 60), ("JPEG2000", 50), ("AVIF", 75)])
def test_formats_whose_decoders_need_more_memory_have_a_lower_limit(form, megapixels):
    side = int((megapixels * 1e6) ** 0.5) + 1
    image = Image.new("1", (side, side))
    image.format = form
    with pytest.raises(FerlibError, match=f"more than {megapixels} megapixels"):
        load_picture(image)


def test_conversion_by_strips_changes_no_pixel(monkeypatch):
    pictures = [
        Image.fromarray(noise(50, 40)).convert(mode) for mode in ("RGB", "L", "P", "CMYK", "1", "YCbCr", "F", "I")
    ]
    transparent = Image.fromarray(np.dstack([noise(50, 40), noise(50, 40)[..., 0]]))
    pictures += [transparent, transparent.convert("LA"), transparent.convert("PA")]
    pictures.append(Image.fromarray(noise(50, 40)[..., 0].astype(np.uint16) * 200))
    palette = Image.fromarray(noise(50, 40)).quantize(16)
    palette.info["transparency"] = 3
    pictures.append(palette)
    whole = [load_picture(picture) for picture in pictures]
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 7 * 40)
    for picture, expected in zip(pictures, whole, strict=True):
        np.testing.assert_array_equal(load_picture(picture), expected, picture.mode)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_fewer_bits_in_a_file_of_16_do_not_become_black(tmp_path, bits, name):
    top = 2**bits - 1
    grey = np.array([[0, top // 2 + 1, top]], np.uint16)
    assert load_picture(save(tmp_path / name, grey))[0, :, 0].tolist() == [0, 128, 255]
    colours = np.repeat(grey[..., None], 3, axis=2)
    cv2.imwrite(str(tmp_path / f"colour-{name}"), colours)
    np.testing.assert_allclose(load_picture(tmp_path / f"colour-{name}")[0, :, 0], [0, 128, 255], atol=1)


def test_colours_of_12_bits_keep_their_order_and_their_orientation(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.array([[[0, 2048, 4095], [4095, 0, 0]]], np.uint16))  # blue, green, red
    assert load_picture(path).tolist() == [[[255, 128, 0], [0, 0, 255]]]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_says_that_the_first_frame_is_read(tmp_path, form):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    path, notes = tmp_path / "a.x", []
    path.write_bytes(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
    assert load_picture(path, notes.append).shape == (5, 6, 3)
    (note,) = notes
    assert note == f"{path} has several {'pages' if form == 'TIFF' else 'frames'}; only the first one is read."
    with pytest.warns(UserWarning, match="only the first one is read"):
        load_picture(path)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "JPEG", "MPO"])
def test_a_single_frame_and_a_phones_second_picture_say_nothing(form):
    options = {"save_all": True, "append_images": [Image.new("RGB", (6, 5))]} if form == "MPO" else {}
    notes = []
    decode_picture(encoded(Image.new("RGB", (6, 5)), form, **options), "x", note=notes.append)
    assert notes == []


@pytest.mark.parametrize(
    ("head", "description"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photo; export it as JPEG first"),
        (b"<!DOCTYPE html>\n<html>", "a web page (HTML); download the picture itself"),
        (b"\xef\xbb\xbf\n <HTML><body>", "a web page (HTML)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL picture; export it as JPEG first"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "a camera's raw file"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04", "a zip file; unpack it first"),
        (b"<?xml version='1.0'?><svg xmlns=''>", "an SVG drawing"),
        (b'<?xml version="1.0"?><Error>', "an XML file"),
    ],
)
def test_a_file_is_named_for_what_it_is(head, description):
    refused(head, f"is not a picture that can be read but {description}")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "JPEG2000", "AVIF"])
def test_pictures_are_recognised_by_their_content(form):
    name = {"JPEG2000": "JPEG 2000", "WEBP": "WebP"}.get(form, form)
    assert f" {name} picture" in describe_content(encoded(Image.new("RGB", (6, 5)), form))


def test_a_damaged_header_of_a_picture_is_damage():
    refused(b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "again")


@pytest.mark.parametrize("address", ["https://example.org/a/b.jpg", "rtsp://camera/1"])
def test_an_address_keeps_its_slashes(address):
    with pytest.raises(FerlibError, match=f"^{address} is an address and not a file"):
        load_picture(address)


def test_the_content_of_unknown_bytes_is_not_guessed():
    assert describe_content(b"hello") is None
    assert describe_content(b"") is None


def seeds_of_mutants():
    """Small pictures in every format that is read, animated ones and rare modes among them."""
    picture = Image.fromarray(noise(40, 50))
    several = {"save_all": True, "append_images": [picture.rotate(9)]}
    grey = Image.fromarray(noise(40, 50)[..., 0].astype(np.uint16) * 9)
    return [
        *(encoded(picture, form) for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF", "TIFF", "JPEG2000", "PPM")),
        *(encoded(picture, form, **several) for form in ("GIF", "WEBP", "PNG", "TIFF", "MPO")),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.quantize(16), "PNG"),
        encoded(grey, "PNG"),
        encoded(picture.convert("F"), "TIFF", compression="tiff_adobe_deflate"),
        encoded(picture.convert("CMYK"), "TIFF", compression="tiff_lzw"),
    ]


def mutated(data, source):
    """The data with some bytes changed, overwritten or taken away, most of them in the header."""
    data = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 5, 20))):
        place = source.randrange(len(data) if source.random() < 0.5 else min(len(data), 120))
        match source.randrange(3):
            case 0:
                data[place] ^= 1 << source.randrange(8)
            case 1:
                data[place : place + 4] = source.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            case 2:
                del data[place : place + source.randrange(1, 9)]
        data = data or bytearray(b"x")
    return bytes(data)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_pictures_are_read_or_refused_in_one_sentence():
    source, seeds, start = random.Random(0), seeds_of_mutants(), time.perf_counter()
    sentences: list[str] = []
    for _ in range(1000):
        try:
            assert decode_picture(mutated(source.choice(seeds), source), "x.jpg", note=lambda _: None).ndim == 3
        except FerlibError as error:
            sentences.append(str(error))
    assert 100 < len(sentences) < 1000
    assert all(sentence.startswith("x.jpg ") and "\n" not in sentence for sentence in sentences)
    assert time.perf_counter() - start < 60
