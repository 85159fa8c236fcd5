"""Small PNG files of charts."""

import io

import numpy as np
from PIL import Image


def chart_png(
    picture: Image.Image, dpi: tuple[float, float] | None = None, max_error: float = float("inf")
) -> bytes:  # fmt: skip
    """Encode a chart as an opaque PNG with 256 colours, where that is smaller; charts look the same at a third.

    Args:
        picture: the chart.
        dpi: resolution that the file states, dots per inch across and down; None states none.
        max_error: largest mean difference of a channel, in levels of 255, at which 256 colours will do.

    Returns:
        The file's bytes, the same for the same picture.
    """
    opaque = picture.convert("RGB")
    few_colours = opaque.quantize(256, dither=Image.Dither.NONE)
    error = np.abs(np.asarray(opaque, np.int16) - np.asarray(few_colours.convert("RGB"), np.int16)).mean()
    images = (opaque, few_colours) if error <= max_error else (opaque,)
    return min((_encode(image, {"dpi": dpi} if dpi else {}) for image in images), key=len)


def _encode(image: Image.Image, options: dict) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, **options)
    return buffer.getvalue()
