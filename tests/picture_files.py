"""Makes the picture files that several tests read."""

import struct
import zlib

import numpy as np
from PIL import Image

# Where the stored row 0 and column 0 lie in the upright picture, from the EXIF 2.3 definition of tag 0x0112.
STORED = {
    1: lambda u: u,  # top, left
    2: lambda u: u[:, ::-1],  # top, right
    3: lambda u: u[::-1, ::-1],  # bottom, right
    4: lambda u: u[::-1],  # bottom, left
    5: lambda u: u.swapaxes(0, 1),  # left, top
    6: lambda u: u[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda u: u[::-1].swapaxes(0, 1),  # left, bottom
}


def noise(height=20, width=30):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def save_oriented(path, upright, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return save(path, np.ascontiguousarray(STORED[orientation](upright)), exif=exif, **options)


def png_header(path, width, height):
    """A PNG that claims a size and holds no such data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b""))
    return path
