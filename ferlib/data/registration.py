"""Similarity of two images once one is laid over the other: by a shift, or by a shift and an affine map."""

import cv2
import numpy as np

BLANK_STD = 4.0  # grey levels; the flattest real face of FER2013 has 9.1
SHIFT = 4  # pixels
MIN_SHIFTED = 0.70  # pairs with a smaller shifted correlation are not aligned; same photos of FER2013 have more
MIN_SURE_SHIFT = 0.85  # pairs with this shifted correlation are laid over each other in three ways
PROOF_BY_SHIFT = 0.95  # shifted correlation that pairs of different photos do not reach
MIN_OVERLAP = 0.5  # share of the image that an aligned pair must have in common
_DETAIL_SIGMA = 2.0  # pixels; what a Gaussian of this width leaves out are the details
_SMOOTHING = 5  # pixels, side of the Gaussian filter that the alignment sees the images through
_STOP_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 1e-3)
_WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def registered_similarity(left: np.ndarray, right: np.ndarray) -> float:
    """Correlate two images at their best shift of up to 4 pixels.

    The inner part of each image is moved over the other one. An image whose inner part is flat correlates with nothing.

    Args:
        left: (H, W) uint8.
        right: (H, W) uint8.

    Returns:
        Best normalised cross-correlation, -1 to 1; 0 for a flat image.
    """
    return _best_shift(left, right)[0]


def detail_similarity(left: np.ndarray, right: np.ndarray) -> float:
    """Correlate the details of two images once one is laid over the other.

    From the best shift of `registered_similarity`, enhanced correlation coefficient maximisation (Evangelidis and
    Psarakis 2008, `cv2.findTransformECC`) finds an affine map of `right` onto `left`. The details are what a Gaussian
    blur of 2 pixels takes away: light and the coarse form of a head are alike in photos of different people, the
    details only in the same photo. A caption in one of the images can lead the alignment astray. So images whose
    shifted correlation is `MIN_SURE_SHIFT` or more are also compared after the shift alone and after the alignment of
    `left` with `right`, and the best value counts.

    Args:
        left: (H, W) uint8.
        right: (H, W) uint8.

    Returns:
        Normalised cross-correlation where the images overlap, -1 to 1; of the whole images rather than of their
        details when a shift alone brings it to `PROOF_BY_SHIFT` or more. 0 for a flat image, and where nothing is
        found: a shifted correlation below `MIN_SHIFTED`, no convergence, or an overlap below `MIN_OVERLAP`.
    """
    shifted, down, across = _best_shift(left, right)
    if shifted < MIN_SHIFTED:
        return 0.0
    if shifted >= PROOF_BY_SHIFT:
        return shifted
    left, right = left.astype(np.float32), right.astype(np.float32)
    forth, back = _shift_map(down, across), _shift_map(-down, -across)
    similarity = _aligned_similarity(left, right, forth)
    if shifted >= MIN_SURE_SHIFT:
        other = _aligned_similarity(right, left, back)
        similarity = max(similarity, other, _mapped_similarity(left, right, forth))
    return similarity


def _shift_map(down: int, across: int) -> np.ndarray:
    return np.array([[1, 0, across], [0, 1, down]], dtype=np.float32)


def _aligned_similarity(left: np.ndarray, right: np.ndarray, start: np.ndarray) -> float:
    """Correlation of the details after an affine alignment that begins with the map `start`."""
    try:
        _, affine = cv2.findTransformECC(  # type: ignore[call-overload]  # its stub forbids None for the mask
            left, right, start.copy(), cv2.MOTION_AFFINE, _STOP_CRITERIA, None, _SMOOTHING
        )
    except cv2.error:  # it does not converge
        return 0.0
    return _mapped_similarity(left, right, affine)


def _mapped_similarity(left: np.ndarray, right: np.ndarray, affine: np.ndarray) -> float:
    """Correlation of the details after a map of `right` onto `left`."""
    size = left.shape[::-1]
    overlap = cv2.warpAffine(np.ones_like(right), affine, size, flags=_WARP) > 0.999
    if overlap.mean() < MIN_OVERLAP:
        return 0.0
    mapped = cv2.warpAffine(_details(right), affine, size, flags=_WARP)
    return _correlation(_details(left)[overlap], mapped[overlap])


def _best_shift(left: np.ndarray, right: np.ndarray) -> tuple[float, int, int]:
    """Best correlation of the images' inner parts, and the pixels down and across from `left` to `right`."""
    inner = (slice(SHIFT, -SHIFT), slice(SHIFT, -SHIFT))
    if min(left[inner].std(), right[inner].std()) < BLANK_STD:
        return 0.0, 0, 0
    forth = cv2.matchTemplate(right, np.ascontiguousarray(left[inner]), cv2.TM_CCOEFF_NORMED)
    back = cv2.matchTemplate(left, np.ascontiguousarray(right[inner]), cv2.TM_CCOEFF_NORMED)
    scores, sign = (forth, 1) if forth.max() >= back.max() else (back, -1)
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    return float(min(scores.max(), 1.0)), sign * (row - SHIFT), sign * (column - SHIFT)


def _details(image: np.ndarray) -> np.ndarray:
    return image - cv2.GaussianBlur(image, (0, 0), _DETAIL_SIGMA, borderType=cv2.BORDER_REFLECT)


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Normalised cross-correlation of two vectors; 0 where one of them is constant."""
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    return min(float(left @ right) / norm, 1.0) if norm > 0 else 0.0
