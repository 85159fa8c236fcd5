"""Drawing of one face by geometry, for tests, smoke runs and the demo that needs no download.

No photograph of a person is involved, and a score on drawn faces says nothing about people.

Lengths are in half face heights: the middle of the face is (0, 0), the chin is at y = 1, x goes right and y down.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import cv2
import numpy as np

from ferlib.data.drawn.expressions import EXPRESSIONS, Expression
from ferlib.data.drawn.pen import CIRCLE, SPAN, Pen, ellipse
from ferlib.data.labels import EMOTIONS, INDEX
from ferlib.errors import FerlibError

_OVERSAMPLING = 4  # scale at which a face is drawn before it is averaged down

_NEUTRAL = Expression()
# Standard deviation of the variation that has nothing to do with the emotion.
_WOBBLE = {
    "brow_inner": 0.015, "brow_outer": 0.015, "brow_arch": 0.012, "brow_gap": 0.01, "eye_upper": 0.06,
    "eye_lower": 0.05, "eye_tilt": 0.06, "iris": 0.004, "mouth": 0.015, "corner": 0.012, "lip_upper": 0.004,
    "lip_lower": 0.004, "teeth": 0.005, "one_corner": 0.012, "one_brow": 0.012,
}  # fmt: skip
_WOBBLES = np.array([_WOBBLE.get(field.name, 0.0) for field in fields(Expression)])

_EYE_LINE, _MOUTH_LINE = -0.1, 0.56
_HAIR = ("bald", "short", "fringe", "parted", "long", "curly")


@dataclass(frozen=True)
class _Person:
    """Person who is drawn: shape, and grey levels from 0 to 255."""

    width: float  # half width of the head
    jaw: float  # narrowing of the head towards the chin, 0 to 1
    eye: float  # half width of an eye
    skin: float
    hair: float
    style: str  # one of _HAIR
    beard: bool
    glasses: bool


def draw_face(emotion: str, rng: np.random.Generator, size: int = 48) -> np.ndarray:
    """Draw one face, with another person, pose, light and strength of expression at every call.

    Args:
        emotion: one of `labels.EMOTIONS`.
        rng: the only source of chance; the same state gives the same bytes.
        size: side of the square picture, pixels.

    Returns:
        (size, size) uint8, grey.

    Raises:
        FerlibError: an unknown emotion.
    """
    if emotion not in INDEX:
        raise FerlibError(f"cannot draw {emotion!r}; choose one of {', '.join(EMOTIONS)}.")
    expression, person = _draw_expression(emotion, rng), _draw_person(rng)
    side = size * _OVERSAMPLING
    backdrop = (person.skin + rng.uniform(40, 215)) % 255  # never the grey of the skin
    canvas = np.full((side, side), backdrop, dtype=np.uint8)
    centre = side * (np.array([0.5, 0.52]) + rng.normal(0, 0.02, 2).clip(-0.05, 0.05))
    pen = Pen(canvas, side * rng.uniform(0.40, 0.47), math.radians(rng.normal(0, 6)), centre)
    _draw_head(pen, person)
    mirror = rng.choice((-1.0, 1.0))
    _draw_wrinkles(pen, person, expression, mirror)
    gaze = rng.normal(0, 0.025, 2)
    for x in (-1.0, 1.0):
        _draw_eye(pen, person, expression, x, gaze, expression.one_brow * (x == mirror))
    _draw_mouth(pen, person, expression, mirror)
    return _light(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), rng)


def draw_faces(labels: Sequence[int] | np.ndarray, seed: int, size: int = 48) -> np.ndarray:
    """Draw one face for each class index.

    Face i depends on `seed`, i and its label only, so a longer list begins with the same pictures.

    Args:
        labels: (N,) class indices.
        seed: decides everything but the classes.
        size: side of the square pictures, pixels.

    Returns:
        (N, size, size) uint8, grey.

    Raises:
        FerlibError: a number that is no class.
    """
    faces = np.empty((len(labels), size, size), dtype=np.uint8)
    for index, label in enumerate(labels):
        if not 0 <= label < len(EMOTIONS):
            raise FerlibError(f"{label} is no class; name classes by 0 to {len(EMOTIONS) - 1}.")
        faces[index] = draw_face(EMOTIONS[label], np.random.default_rng((seed, index)), size)
    return faces


def _draw_expression(emotion: str, rng: np.random.Generator) -> Expression:
    """Draw a variant of an expression, weaker or stronger, with a little chance in every part."""
    variants = EXPRESSIONS[emotion]
    variant = np.array(astuple(variants[rng.integers(len(variants))]))
    neutral = np.array(astuple(_NEUTRAL))
    blend = neutral + rng.uniform(0.7, 1.1) * (variant - neutral)
    blend += _WOBBLES * rng.normal(size=len(neutral)).clip(-2, 2)
    return Expression(*blend.tolist())


def _draw_person(rng: np.random.Generator) -> _Person:
    skin = rng.uniform(95, 225)
    hair = rng.uniform(15, 210)
    if abs(hair - skin) < 45:  # too close to tell hair from skin
        hair = skin - 65
    return _Person(
        width=rng.uniform(0.72, 0.86),
        jaw=rng.uniform(0.05, 0.3),
        eye=rng.uniform(0.165, 0.2),
        skin=skin,
        hair=hair,
        style=_HAIR[rng.integers(len(_HAIR))],
        beard=rng.random() < 0.1,
        glasses=rng.random() < 0.12,
    )


def _head_outline(person: _Person) -> np.ndarray:
    narrowing = 1 - person.jaw * CIRCLE[:, 1:].clip(0) ** 2
    return CIRCLE * np.hstack([person.width * narrowing, np.ones_like(narrowing)])


def _draw_head(pen: Pen, person: _Person) -> None:
    """Draw the hair behind, neck, ears, head, and the hair in front."""
    width, skin, hair = person.width, person.skin, person.hair
    if person.style == "long":
        pen.fill(ellipse(0, 0.1, width * 1.25, 1.2), hair)
        pen.fill(np.array([[-1.25, 0.1], [1.25, 0.1], [1.25, 2], [-1.25, 2]]) * (width, 1), hair)
    pen.fill(np.array([[-0.4, 0.6], [0.4, 0.6], [0.4, 1.5], [-0.4, 1.5]]), skin * 0.75)
    for x in (-width, width):
        pen.fill(ellipse(x, 0.02, 0.1, 0.2), skin * 0.82)
    outline = _head_outline(person)
    pen.fill(outline, skin)
    if person.beard:
        jaw = outline[outline[:, 1] > 0.1]
        rim = np.stack([0.5 * SPAN[::-1], 0.55 - 0.3 * np.abs(SPAN) ** 3], axis=1)
        pen.fill(np.vstack([jaw, rim[::-1]]), 0.45 * skin + 0.55 * min(hair, skin))
    pen.line(outline, skin * 0.6, 0.02, closed=True)
    _draw_hair(pen, person)


def _draw_hair(pen: Pen, person: _Person) -> None:
    """Draw the cap of hair between the top of the head and the hairline of the style."""
    hairline = {
        "short": -0.62 - 0.12 * (1 - SPAN**2),
        "fringe": -0.55 + 0.02 * np.cos(9 * SPAN),
        "parted": -0.5 - 0.35 * np.exp(-((SPAN + 0.4) ** 2) / 0.15),
        "long": -0.45 - 0.38 * (1 - np.abs(SPAN) ** 1.5),
        "curly": -0.6 + 0.03 * np.cos(12 * SPAN),
    }.get(person.style)
    if hairline is None:
        return
    angles = np.linspace(np.pi + 0.42, 2 * np.pi - 0.42, 25)
    top = np.stack([(person.width + 0.05) * np.cos(angles), 1.1 * np.sin(angles)], axis=1)
    line = np.stack([person.width * 0.86 * SPAN[::-1], hairline[::-1]], axis=1)
    pen.fill(np.vstack([top, line]), person.hair)
    if person.style == "curly":
        for x, y in top[1:-1:3]:
            pen.fill(ellipse(x * 1.02, y, 0.17, 0.17), person.hair)


def _draw_wrinkles(pen: Pen, person: _Person, expression: Expression, mirror: float) -> None:
    """Draw the nose, and the lines that an expression folds into the skin."""
    ink = person.skin * 0.5

    def fold(points: Any, strength: float, width: float = 0.035) -> None:
        if strength > 0.05:
            pen.line(points, person.skin + (ink - person.skin) * min(strength, 1), width)

    wide = 0.11 + 0.05 * expression.nose
    pen.line([(0.02, -0.02), (0.05, 0.16), (wide, 0.24)], person.skin * 0.72, 0.035)
    pen.line([(-wide, 0.22), (-wide * 0.6, 0.28), (0, 0.29), (wide * 0.6, 0.28), (wide, 0.22)], ink, 0.04)
    for x in (-1, 1):
        fold([(x * 0.04, -0.42), (x * 0.05, -0.26)], expression.frown)
        fold([(0, -0.16), (x * 0.13, -0.1)], expression.nose)
        fold([(0, -0.06), (x * 0.15, 0.02)], expression.nose)
        corner = expression.corner + expression.one_corner * (x == mirror)
        deep = max(expression.cheek, 4 * abs(expression.one_corner) * (x == mirror))
        fold([(x * 0.2, 0.2), (x * 0.4, 0.32), (x * (expression.mouth + 0.12), 0.55 + corner)], deep * 0.8)
    for y in (-0.74, -0.66):
        fold([(-0.26, y + 0.02), (0, y), (0.26, y + 0.02)], expression.forehead * 0.7, 0.03)


def _draw_eye(pen: Pen, person: _Person, expression: Expression, side: float, gaze: np.ndarray, raised: float) -> None:
    """Draw the eye and brow at x = `side` (-1 or 1); `raised` moves this brow and its lid only."""
    middle, height = side * 0.36, 0.125
    outwards = SPAN * side
    bow = 1 - np.abs(SPAN) ** 2.2
    xs = middle + person.eye * SPAN
    upper = _EYE_LINE - height * (expression.eye_upper - raised) * bow * (1 + expression.eye_tilt * outwards)
    lower = _EYE_LINE + height * expression.eye_lower * bow
    upper = np.minimum(upper, lower)
    dark = min(person.hair, person.skin * 0.4, 60.0)
    pen.fill(np.vstack([np.stack([xs, upper], 1), np.stack([xs, lower], 1)[::-1]]), min(250, person.skin * 0.3 + 190))
    for radius, grey in ((expression.iris, 65), (expression.iris * 0.5, 10)):
        iris = ellipse(middle + gaze[0], _EYE_LINE - 0.01 + gaze[1] * 0.5, radius, radius)
        low, high = np.interp(iris[:, 0], xs, upper), np.interp(iris[:, 0], xs, lower)
        pen.fill(np.stack([iris[:, 0], iris[:, 1].clip(low, high)], axis=1), grey)
    pen.line(np.stack([xs, lower], 1), person.skin * 0.6, 0.025)
    pen.line(np.stack([xs, upper], 1), dark, 0.05)
    if person.glasses:
        pen.line(ellipse(middle, _EYE_LINE, 0.27, 0.24), 40, 0.035, closed=True)
        pen.line([(side * 0.1, _EYE_LINE - 0.03), (0, _EYE_LINE - 0.05)], 40, 0.035)
        pen.line([(side * 0.63, _EYE_LINE - 0.03), (side * person.width, _EYE_LINE - 0.07)], 40, 0.035)
    along = np.linspace(0, 1, 9)
    brow_y = _EYE_LINE - 0.27 + raised + expression.brow_inner * (1 - along) + expression.brow_outer * along
    brow_y = brow_y - expression.brow_arch * 4 * along * (1 - along)
    brow_x = side * (expression.brow_gap + (0.58 - expression.brow_gap) * along)
    pen.line(np.stack([brow_x, brow_y], 1), min(person.hair, person.skin * 0.55), 0.085)


def _draw_mouth(pen: Pen, person: _Person, expression: Expression, mirror: float) -> None:
    bow = 1 - np.abs(SPAN) ** expression.square
    corners = np.abs(SPAN) ** 1.6 * (expression.corner + expression.one_corner * (SPAN * mirror > 0))
    xs = expression.mouth * SPAN + mirror * 0.25 * abs(expression.one_corner)
    upper = _MOUTH_LINE + corners + expression.lip_upper * bow
    lower = np.maximum(_MOUTH_LINE + corners + expression.lip_lower * bow, upper)
    top, bottom = np.stack([xs, upper], 1), np.stack([xs, lower], 1)
    lip, gap = person.skin * 0.55, expression.lip_lower - expression.lip_upper
    if gap < 0.03:
        pen.line(top, person.skin * 0.35, 0.055)
        pen.line(np.add(top[6:15], (0, 0.11)), person.skin * 0.75, 0.04)
        return
    outline = np.vstack([top, bottom[::-1]])
    pen.line(outline, lip, 0.11, closed=True)
    pen.fill(outline, 25)
    if expression.teeth > 0.5:
        pen.fill(outline, 235)
        pen.line((top + bottom) / 2, 90, 0.02)
        for index in range(3, 18, 2):
            pen.line([top[index], bottom[index]], 110, 0.015)
    elif expression.teeth > 0.02:
        row = np.stack([xs, np.minimum(upper + expression.teeth, lower)], 1)
        pen.fill(np.vstack([top, row[::-1]]), 240)
    elif gap > 0.2:
        pen.fill(ellipse(xs.mean(), _MOUTH_LINE + expression.lip_lower * 0.72, expression.mouth * 0.5, 0.06), 110)


def _light(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add light from one side, exposure, contrast, and a camera's blur and noise."""
    size = len(face)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    across, down = rng.normal(0, 0.14, 2).clip(-0.3, 0.3)
    lit = face * (1 + np.float32(across) * ramp + np.float32(down) * ramp[:, None])
    lit = (lit - 128) * np.float32(rng.uniform(0.8, 1.25)) + np.float32(128 + rng.normal(0, 12))
    blur = rng.uniform(-0.6, 0.6) * size / 48
    if blur > 0.2:  # about every third picture
        lit = cv2.GaussianBlur(lit, (0, 0), blur)
    lit = lit + np.float32(rng.uniform(0.5, 5)) * rng.standard_normal((size, size), dtype=np.float32)
    return lit.clip(0, 255).astype(np.uint8)
