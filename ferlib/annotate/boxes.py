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
_LEAST_TEXT, _MOST_TEXT = 12, 96  # pixels
_CARD_TEXT = 0.8  # of the labels' text
_MOST_BESIDE = 4  # more faces than this get a panel


def annotate(image: np.ndarray, faces: Sequence[Face], *, bars: bool = True, numbered: bool = False) -> np.ndarray:
    """A copy of an (H, W, 3) uint8 RGB picture with every face boxed in its class colour and labelled, the same type.

    With `bars`, each face's eight probabilities are drawn beside its box when all find room on the picture. Otherwise
    the faces are numbered and a panel to the right of the picture has a card for each: then the result is wider, and
    higher when the cards need it. `numbered` numbers several faces in any case, for a list beside the picture. Pictures
    under 200 pixels are enlarged. A picture without faces stays as it is.
    """
    check_picture(image)
    if not faces:
        return image.copy()
    picture, zoom = _enlarge(Image.fromarray(image))
    boxes = [_zoomed(face.box, zoom) for face in faces]
    text = _text_size(picture.size)
    words = labels(faces, numbered=False)
    tags = _tags(words, boxes, picture.size, text)
    card = Card.of(round(_CARD_TEXT * text))
    places = _places_beside(picture.size, boxes, tags, card) if bars else []
    if places is None or numbered:
        words, tags = _numbered_tags(faces, boxes, picture.size, text)
    draw = ImageDraw.Draw(picture, "RGBA")
    for face, box in zip(faces, boxes, strict=True):
        _draw_box(draw, box, COLOURS[face.emotion], _line_width(text))
    for face, tag, word in zip(faces, tags, words, strict=True):
        _draw_tag(draw, tag, word, COLOURS[face.emotion], text)
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
    wanted = min(_TEXT_SHARE * (width * height) ** 0.5, min(width, height) / 10, _MOST_TEXT)
    return max(_LEAST_TEXT, round(wanted))


def _line_width(text: int) -> int:
    return max(2, round(text / 6))


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _hide_each_other(boxes: Sequence[Rectangle], tags: Sequence[Rectangle]) -> bool:
    """True when a tag lies on another face or another tag."""
    return any(
        _overlap(tag, box) or _overlap(tag, other)
        for index, tag in enumerate(tags)
        for number, (box, other) in enumerate(zip(boxes, tags, strict=True))
        if number != index
    )


def _places_beside(
    size: tuple[int, int], boxes: Sequence[Rectangle], tags: Sequence[Rectangle], card: Card
) -> list[Rectangle] | None:
    """A free place on the picture for each face's card, or None when one finds none."""
    if len(boxes) > _MOST_BESIDE or _hide_each_other(boxes, tags):
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
            if inside and not any(_overlap(place, other) for other in [*boxes, *tags, *places]):
                places.append(place)
                break
        else:
            return None
    return places


def _draw_box(draw: ImageDraw.ImageDraw, box: Rectangle, colour: str, line: int) -> None:
    """In the class colour with a dark edge, which keeps it visible on any ground."""
    edge = max(1, line // 3)
    x1, y1, x2, y2 = (round(value) for value in box)
    draw.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=(0, 0, 0, 120), width=line + 2 * edge)
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _numbered_tags(
    faces: Sequence[Face], boxes: Sequence[Rectangle], size: tuple[int, int], text: int
) -> tuple[list[str], list[Rectangle]]:
    """Number and label of each face, or in a crowd only the number: the cards have the words."""
    words = labels(faces, numbered=True)
    tags = _tags(words, boxes, size, text)
    if _hide_each_other(boxes, tags):
        words = [str(index) for index in range(1, len(faces) + 1)]
        tags = _tags(words, boxes, size, text)
    return words, tags


def _tags(words: Sequence[str], boxes: Sequence[Rectangle], size: tuple[int, int], text: int) -> list[Rectangle]:
    return [_tag(word, box, size, text) for word, box in zip(words, boxes, strict=True)]


def _tag(word: str, box: Rectangle, size: tuple[int, int], text: int) -> Rectangle:
    """Above the box, or just inside it where there is no room; never outside the picture."""
    width = min(ceil(font(text, bold=True).getlength(word) + 0.8 * text), size[0] - 1)
    height = min(ceil(1.5 * text), size[1] - 1)
    left = min(max(round(box[0]), 0), size[0] - 1 - width)
    top = round(box[1]) - height if box[1] >= height else round(box[1])
    top = min(max(top, 0), size[1] - 1 - height)
    return left, top, left + width, top + height


def _draw_tag(draw: ImageDraw.ImageDraw, place: Rectangle, word: str, colour: str, text: int) -> None:
    draw.rectangle(place, fill=colour)
    room, length = place[2] - place[0] - 0.6 * text, font(text, bold=True).getlength(word)
    fitting = font(text if length <= room else max(6, int(text * room / length)), bold=True)
    middle = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    draw.text(middle, word, font=fitting, fill=_ink_on(colour), anchor="mm")


def _ink_on(colour: str) -> tuple[int, int, int]:
    """Dark or light, whichever is more legible on `colour` (WCAG 2 relative luminance; 0.179 is the break-even)."""
    channels = [value / 255 for value in ImageColor.getrgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return DARK_INK if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else INK
