"""Pictures with what the pipeline found: boxes, labels, and the eight probabilities of each face."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from ferlib.annotate.cards import DARK_INK, INK, ON_PICTURE, Card, draw_card, font, with_panel
from ferlib.annotate.words import labels
from ferlib.data.labels import COLOURS
from ferlib.faces.pictures import check_picture
from ferlib.pipeline import Face

Rectangle = tuple[float, float, float, float]  # x1, y1, x2, y2

_SMALLEST = 200  # pixels; a picture with a shorter long side is enlarged, or no label would be legible
_TEXT_SHARE = 0.021  # height of the text in units of the picture's size (geometric mean of its sides)
_MIN_TEXT, _MAX_TEXT = 12, 96  # pixels
_CARD_TEXT = 0.8  # of the labels' text
_MAX_BESIDE = 4  # more faces than this get a panel


def annotate(image: np.ndarray, faces: Sequence[Face], *, bars: bool = True, numbered: bool = False) -> np.ndarray:
    """Draw every face's box in its class colour, with a label, on a copy of a picture.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: the faces, their coordinates in pixels of `image`.
        bars: draw each face's eight probabilities as well: beside its box when all cards find room on the picture;
            otherwise the faces are numbered and a panel to the right of the picture has a card for each.
        numbered: number several faces in any case, for a list beside the picture.

    Returns:
        (H, W, 3) uint8 RGB: wider and perhaps higher than `image` with a panel, enlarged where both sides of `image`
        are below 200 pixels, and a plain copy where there are no faces.

    Raises:
        FerlibError: `image` is not an (H, W, 3) uint8 array.
    """
    check_picture(image)
    if not faces:
        return image.copy()
    picture, zoom = _enlarge(Image.fromarray(image))
    boxes = [_zoomed(face.box, zoom) for face in faces]
    text = _text_size(picture.size)
    texts = labels(faces, numbered=False)
    tags = _tags(texts, boxes, picture.size, text)
    card = Card.of(round(_CARD_TEXT * text))
    places = _places_beside(picture.size, boxes, tags, card) if bars else []
    if places is None or numbered:
        texts, tags = _numbered_tags(faces, boxes, picture.size, text)
    draw = ImageDraw.Draw(picture, "RGBA")
    for face, box in zip(faces, boxes, strict=True):
        _draw_box(draw, box, COLOURS[face.emotion], _line_width(text))
    for face, tag, label in zip(faces, tags, texts, strict=True):
        _draw_tag(draw, tag, label, COLOURS[face.emotion], text)
    if places is None:
        picture = with_panel(picture, faces, card.size)
    for face, place in zip(faces, places or [], strict=False):  # no places: no bars, or a panel
        draw_card(draw, place[:2], face, card, ground=ON_PICTURE)
    return np.array(picture)


def _enlarge(picture: Image.Image) -> tuple[Image.Image, int]:
    zoom = ceil(_SMALLEST / max(picture.size))
    if zoom > 1:
        picture = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.BICUBIC)
    return picture, zoom


def _zoomed(box: Rectangle, zoom: int) -> Rectangle:
    x1, y1, x2, y2 = box
    return x1 * zoom, y1 * zoom, x2 * zoom, y2 * zoom


def _text_size(size: tuple[int, int]) -> int:
    width, height = size
    size_of_text = min(_TEXT_SHARE * (width * height) ** 0.5, min(width, height) / 10, _MAX_TEXT)
    return max(_MIN_TEXT, round(size_of_text))


def _line_width(text: int) -> int:
    return max(2, round(text / 6))


def _touch(first: Rectangle, second: Rectangle) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _hide_each_other(boxes: Sequence[Rectangle], tags: Sequence[Rectangle]) -> bool:
    """Tell whether a tag lies on another face or another tag."""
    return any(
        _touch(tag, box) or _touch(tag, other)
        for index, tag in enumerate(tags)
        for number, (box, other) in enumerate(zip(boxes, tags, strict=True))
        if number != index
    )


def _places_beside(
    size: tuple[int, int], boxes: Sequence[Rectangle], tags: Sequence[Rectangle], card: Card
) -> list[Rectangle] | None:
    """Find a free place on the picture for each face's card; None when one card has no room."""
    if len(boxes) > _MAX_BESIDE or _hide_each_other(boxes, tags):
        return None
    width, height, gap = card.width, card.height(titled=False), card.padding
    places: list[Rectangle] = []
    for (x1, y1, x2, y2), tag in zip(boxes, tags, strict=True):
        middle = min(max((x1 + x2 - width) / 2, gap), size[0] - width - gap)
        right, left_of = (x2, max(x2, tag[2])), (x1, min(x1, tag[0]))
        corners = [(x + gap, y1) for x in right] + [(x - gap - width, y1) for x in left_of]
        for left, top in [*corners, (middle, y2 + gap), (middle, tag[1] - gap - height)]:
            top = min(max(top, gap), size[1] - height - gap)
            place = (left, top, left + width, top + height)
            inside = left >= gap and left + width <= size[0] - gap and top >= gap
            if inside and not any(_touch(place, other) for other in [*boxes, *tags, *places]):
                places.append(place)
                break
        else:
            return None
    return places


def _draw_box(draw: ImageDraw.ImageDraw, box: Rectangle, colour: str, line: int) -> None:
    """Draw a box in the class colour with a dark edge, which keeps it visible on any ground."""
    edge = max(1, line // 3)
    x1, y1, x2, y2 = (round(value) for value in box)
    draw.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=(0, 0, 0, 120), width=line + 2 * edge)
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _numbered_tags(
    faces: Sequence[Face], boxes: Sequence[Rectangle], size: tuple[int, int], text: int
) -> tuple[list[str], list[Rectangle]]:
    """Text and place of each face's tag: number and label, in a crowd the number alone (the cards have the labels)."""
    texts = labels(faces, numbered=True)
    tags = _tags(texts, boxes, size, text)
    if _hide_each_other(boxes, tags):
        texts = [str(index) for index in range(1, len(faces) + 1)]
        tags = _tags(texts, boxes, size, text)
    return texts, tags


def _tags(texts: Sequence[str], boxes: Sequence[Rectangle], size: tuple[int, int], text: int) -> list[Rectangle]:
    return [_tag(label, box, size, text) for label, box in zip(texts, boxes, strict=True)]


def _tag(label: str, box: Rectangle, size: tuple[int, int], text: int) -> Rectangle:
    """Place of a tag: above the box, or just inside it where there is no room; never outside the picture."""
    width = min(ceil(font(text, bold=True).getlength(label) + 0.8 * text), size[0] - 1)
    height = min(ceil(1.5 * text), size[1] - 1)
    left = min(max(round(box[0]), 0), size[0] - 1 - width)
    top = round(box[1]) - height if box[1] >= height else round(box[1])
    top = min(max(top, 0), size[1] - 1 - height)
    return left, top, left + width, top + height


def _draw_tag(draw: ImageDraw.ImageDraw, place: Rectangle, label: str, colour: str, text: int) -> None:
    draw.rectangle(place, fill=colour)
    room, length = place[2] - place[0] - 0.6 * text, font(text, bold=True).getlength(label)
    fitting = font(text if length <= room else max(6, int(text * room / length)), bold=True)
    middle = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    draw.text(middle, label, font=fitting, fill=_ink_on(colour), anchor="mm")


def _ink_on(colour: str) -> tuple[int, int, int]:
    """Dark or light ink, the more legible one on `colour` (WCAG 2 relative luminance; 0.179 is the break-even)."""
    channels = [value / 255 for value in ImageColor.getrgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return DARK_INK if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else INK
