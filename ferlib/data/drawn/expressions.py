"""The eight expressions as numbers for `ferlib.data.drawn.face`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expression:
    """Positions of a face's parts; the defaults are a neutral face.

    Lengths are in half face heights, and heights grow downwards: a raised part has a height below 0.

    Attributes:
        brow_inner: height of the brows' inner ends.
        brow_outer: height of the brows' outer ends.
        brow_arch: height of the brows' middle above the line between their ends.
        brow_gap: distance of the inner ends from the middle of the face.
        eye_upper: opening above the eye's axis; 1 is at rest.
        eye_lower: opening below the eye's axis; small when the cheeks push the lid up.
        eye_tilt: above 0 the upper lid is low at the nose (a glare), below 0 it is low outside (a droop).
        iris: radius of the iris.
        mouth: half width of the mouth.
        corner: height of both corners of the mouth.
        lip_upper: height of the middle of the upper lip's edge.
        lip_lower: height of the middle of the lower lip's edge; the mouth is open by the difference.
        square: shape of the lips; 2 is rounded, larger is boxy.
        teeth: height of the row of upper teeth; above 0.5 both rows show, clenched.
        one_corner: extra height of one corner of the mouth.
        one_brow: extra height of the brow on that side.
        frown: darkness of the upright lines between the brows, 0 to 1.
        forehead: darkness of the level lines on the forehead, 0 to 1.
        nose: strength of the wrinkles over the nose, 0 to 1.
        cheek: darkness of the folds from the nose to the corners of the mouth, 0 to 1.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_arch: float = 0.05
    brow_gap: float = 0.15
    eye_upper: float = 1.0
    eye_lower: float = 0.7
    eye_tilt: float = 0.0
    iris: float = 0.105
    mouth: float = 0.31
    corner: float = 0.0
    lip_upper: float = 0.0
    lip_lower: float = 0.0
    square: float = 2.0
    teeth: float = 0.0
    one_corner: float = 0.0
    one_brow: float = 0.0
    frown: float = 0.0
    forehead: float = 0.0
    nose: float = 0.0
    cheek: float = 0.0


# After the action units that are usually named for each emotion; a second variant where people have two.
EXPRESSIONS: dict[str, tuple[Expression, ...]] = {
    "angry": (
        Expression(brow_inner=0.17, brow_outer=-0.14, brow_arch=0, brow_gap=0.08, eye_upper=0.85, eye_tilt=0.8,
                    mouth=0.27, corner=0.1, lip_upper=-0.02, lip_lower=-0.02, frown=1),
        Expression(brow_inner=0.17, brow_outer=-0.14, brow_arch=0, brow_gap=0.08, eye_upper=0.9, eye_tilt=0.8,
                    mouth=0.31, corner=0.05, lip_upper=-0.09, lip_lower=0.13, square=5, teeth=1, frown=1, cheek=0.6),
    ),
    "contempt": (
        Expression(brow_inner=0.02, eye_upper=0.5, eye_lower=0.6, mouth=0.3, corner=0.03, one_corner=-0.27,
                    one_brow=-0.16, cheek=0.2),
    ),
    "disgust": (
        Expression(brow_inner=0.13, brow_outer=0.03, brow_arch=0.02, brow_gap=0.1, eye_upper=0.42, eye_lower=0.3,
                    mouth=0.28, corner=0.13, lip_upper=-0.15, lip_lower=0.02, square=2.5, teeth=0.07, nose=1,
                    cheek=0.9),
    ),
    "fear": (
        Expression(brow_inner=-0.2, brow_outer=0.03, brow_arch=0.01, brow_gap=0.1, eye_upper=1.5, eye_lower=1,
                    eye_tilt=-0.2, iris=0.075, mouth=0.37, corner=0.09, lip_upper=-0.03, lip_lower=0.17, square=4,
                    teeth=0.06, forehead=1),
    ),
    "happy": (
        Expression(brow_inner=-0.04, brow_outer=-0.03, brow_arch=0.09, eye_upper=0.95, eye_lower=0.15, mouth=0.37,
                    corner=-0.12, lip_upper=0.01, lip_lower=0.27, teeth=0.1, cheek=0.5),
        Expression(brow_inner=-0.03, brow_outer=-0.02, brow_arch=0.08, eye_upper=0.9, eye_lower=0.2, mouth=0.36,
                    corner=-0.17, lip_upper=0.05, lip_lower=0.05, cheek=0.5),
    ),
    "neutral": (Expression(),),
    "sad": (
        Expression(brow_inner=-0.17, brow_outer=0.12, brow_arch=0, brow_gap=0.12, eye_upper=0.65, eye_lower=0.6,
                    eye_tilt=-0.8, mouth=0.25, corner=0.16, lip_upper=-0.04, lip_lower=-0.04),
    ),
    "surprise": (
        Expression(brow_inner=-0.17, brow_outer=-0.15, brow_arch=0.13, eye_upper=1.5, eye_lower=1.1, iris=0.095,
                    mouth=0.18, lip_upper=-0.12, lip_lower=0.27, forehead=0.6),
    ),
}  # fmt: skip
