"""Cards: the eight probability bars of one face, drawn on a picture or in a panel beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ferlib.annotate.words import labels
from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.pipeline import Face

INK, FAINT_INK, DARK_INK = (250, 251, 252), (176, 182, 192), (12, 13, 16)
ON_PICTURE = (16, 18, 22, 200)  # ground of a card that lies on a picture, which shows through
_GROUND, _CARD, _TRACK = (22, 24, 28), (37, 40, 46), (255, 255, 255, 34)

_FONTS = Path(__file__).parent / "fonts"
_MIN_FONT = 11  # pixels
_PANEL_SHARE = 0.7  # the panel may be this wide, in picture widths, before its text shrinks
_RIBBON = 3.0  # width by height that a picture with a panel should not exceed


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans from the package's files: the same on every machine.

    Args:
        size: height of the text, pixels.
        bold: the bold weight.
    """
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(_FONTS / name), size)


@dataclass(frozen=True)
class Card:
    """Measures of a card, in pixels.

    Attributes:
        size: height of the text.
        padding: empty space at the edges.
        row: height of one emotion's row.
        names: width of the column of names.
        track: length of a full bar.
        percents: width of the column of numbers.
    """

    size: int
    padding: int
    row: int
    names: int
    track: int
    percents: int

    @classmethod
    def of(cls, size: int) -> "Card":
        """Measure the card of a text size.

        Args:
            size: of the text, pixels; the smallest legible size takes the place of a smaller one.
        """
        size = max(_MIN_FONT, size)
        bold = font(size, bold=True)
        names, percents = max(bold.getlength(name) for name in EMOTIONS), bold.getlength("100 %")
        return cls(size, ceil(0.6 * size), ceil(1.4 * size), ceil(names), ceil(5.5 * size), ceil(percents))

    @property
    def width(self) -> int:
        """Width of the card, pixels."""
        return 4 * self.padding + self.names + self.track + self.percents

    @property
    def title(self) -> int:
        """Height of the line above the bars, pixels."""
        return round(1.8 * self.size)

    def height(self, titled: bool) -> int:
        """Height of the card, pixels.

        Args:
            titled: the card has a line above its bars.
        """
        return 2 * self.padding + len(EMOTIONS) * self.row + (self.title if titled else 0)


def draw_card(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    face: Face,
    card: Card,
    *,
    ground: tuple[int, ...],
    title: str | None = None,
) -> None:
    """Draw one face's bars.

    Args:
        draw: where to draw; it must blend (mode RGBA).
        corner: upper left corner of the card, pixels.
        face: the face.
        card: measures of the card.
        ground: colour of the card, RGB or RGBA.
        title: a line above the bars; None for none.
    """
    left, top = (round(value) for value in corner)
    bottom = top + card.height(title is not None)
    draw.rectangle((left, top, left + card.width, bottom), fill=ground)
    draw.rectangle((left, top, left + max(2, card.size // 4), bottom), fill=COLOURS[face.emotion])
    x, y = left + 2 * card.padding, top + card.padding
    if title is not None:
        draw.text((x, y + 0.75 * card.size), title, font=font(card.size, bold=True), fill=INK, anchor="lm")
        y += card.title
    for name, value in zip(EMOTIONS, face.probabilities, strict=True):
        _draw_row(draw, (x, y), name, float(value), card, best=name == face.emotion)
        y += card.row


def _draw_row(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, value: float, card: Card, *, best: bool
) -> None:
    x, middle = corner[0], corner[1] + card.row / 2
    bar = x + card.names + card.padding // 2
    y1, y2 = round(middle - 0.36 * card.size), round(middle + 0.36 * card.size)
    ink, face = INK if best else FAINT_INK, font(card.size, best)
    draw.text((x, middle), name, font=face, fill=ink, anchor="lm")
    draw.rectangle((bar, y1, bar + card.track, y2), fill=_TRACK)
    if length := round(value * card.track):
        draw.rectangle((bar, y1, bar + length, y2), fill=COLOURS[name])
    end = x + card.names + card.track + card.percents + card.padding
    draw.text((end, middle), f"{100 * value:.0f} %", font=face, fill=ink, anchor="rm")


def with_panel(picture: Image.Image, faces: Sequence[Face], size: int) -> Image.Image:
    """Put a panel to the right of a picture, with a numbered card for each face.

    Args:
        picture: an RGB picture.
        faces: its faces, at least one.
        size: height of the text at most, pixels.
    """
    card, columns = _grid(picture.size, len(faces), size)
    rows = ceil(len(faces) / columns)
    step_x, step_y = card.width + card.padding, card.height(titled=True) + card.padding
    width = picture.width + card.padding + columns * step_x
    height = max(picture.height, card.padding + rows * step_y)
    canvas = Image.new("RGB", (width, height), _GROUND)
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas, "RGBA")
    for index, (face, title) in enumerate(zip(faces, labels(faces, numbered=True), strict=True)):
        column, row = divmod(index, rows)
        corner = picture.width + card.padding + column * step_x, card.padding + row * step_y
        draw_card(draw, corner, face, card, ground=_CARD, title=title)
    return canvas


def _grid(size: tuple[int, int], count: int, max_font: int) -> tuple[Card, int]:
    """Largest card, and number of columns, with which the panel is no higher than the picture and not too wide.

    Where even small text is too much, the panel may be higher or wider: then the columns that waste least space are
    taken, as long as picture and panel do not become a ribbon.
    """
    for font_size in range(max_font, _MIN_FONT - 1, -1):
        card = Card.of(font_size)
        rows = (size[1] - card.padding) // (card.height(titled=True) + card.padding)
        if rows >= 1 and ceil(count / rows) * (card.width + card.padding) <= _PANEL_SHARE * size[0]:
            return card, ceil(count / rows)
    card = Card.of(max_font // 2)
    longest = max(_RIBBON, 1.6 * size[0] / size[1])
    areas = {1: float("inf")}
    for columns in range(1, count + 1):
        width = size[0] + columns * (card.width + card.padding)
        height = card.padding + ceil(count / columns) * (card.height(titled=True) + card.padding)
        if width / max(height, size[1]) <= longest:
            areas[columns] = width * max(height, size[1])
    return card, min(areas, key=areas.__getitem__)
