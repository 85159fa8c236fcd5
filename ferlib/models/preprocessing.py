"""Preprocessing: from uint8 faces to network input, as each checkpoint stores it.

`Preprocessing` is the one source of size, equalisation, channels and normalisation. It is stored with each checkpoint
and used alike by training, evaluation and camera. torch is imported where tensors are made, so that prediction with an
exported graph goes without it.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import torch

FACE_SIZE = 48
"""Side of a classifier's faces, pixels: FER2013's, and the pipeline's crops."""

EQUALISE_MODES = ("none", "global", "clahe")
"""Kinds of histogram equalisation, see `equalise`."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FACE_MEAN, FACE_STD = (122.782 / 255, 117.001 / 255, 104.298 / 255), (256 / 255,) * 3
"""Normalisation of red, green and blue in dlib (`input_rgb_image_sized`), for intensities in 0..1."""

LITE_MEAN, LITE_STD = (0.5,) * 3, (0.5,) * 3
"""Normalisation of the EfficientNet-Lite family's input."""

FACERES_MEAN, FACERES_STD = (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255,) * 3
"""Normalisation of the input of HSE FaceRes, whose channels were blue, green and red."""

FACE_LEVEL, FACE_CONTRAST, MIN_CONTRAST = 0.5, 0.25, 0.02
"""Mean and standard deviation of a standardised face's intensities in 0..1, about those of the training faces, and the
smallest deviation that is stretched to them."""


def to_grey(images: np.ndarray) -> np.ndarray:
    """Convert faces to grey: luma by ITU-R BT.601.

    Args:
        images: (N, H, W, 3) uint8 RGB, or (N, H, W) uint8 grey, which is returned unchanged.

    Returns:
        (N, H, W) uint8.

    Raises:
        ValueError: another shape or type.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ValueError(
            f"faces must be (N, H, W) or (N, H, W, 3) uint8, not {images.shape} {images.dtype}; "
            "add a first axis to a single face."
        )
    if images.ndim == 3:
        return images
    if len(images) == 0:
        return np.zeros(images.shape[:3], np.uint8)
    return np.stack([cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in images])


def equalise(images: np.ndarray, mode: str) -> np.ndarray:
    """Equalise the histogram of each image.

    Args:
        images: (N, H, W) uint8.
        mode: ``"none"``; ``"global"``, one histogram for the whole face; ``"clahe"``, contrast-limited (clip 2.0) over
            a 4x4 grid of tiles.

    Returns:
        (N, H, W) uint8.

    Raises:
        ValueError: unknown mode.
    """
    if mode not in EQUALISE_MODES:
        raise ValueError(f"unknown equalisation {mode!r}; choose one of {', '.join(EQUALISE_MODES)}")
    if mode == "none" or len(images) == 0:
        return np.asarray(images)
    transform = cv2.equalizeHist if mode == "global" else cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply
    return np.stack([transform(np.ascontiguousarray(image)) for image in images])


@dataclass(frozen=True)
class Preprocessing:
    """Steps between a face and the network's input; callable.

    Attributes:
        size: side of the square input, pixels.
        equalise: one of `EQUALISE_MODES`.
        channels: 1, or 3 for networks made for RGB (the grey image three times).
        mean: mean of each channel's intensities in 0..1; by default the training split's own.
        std: their standard deviation.
        standardise: give each face the same mean and contrast first (`FACE_LEVEL`, `FACE_CONTRAST`), so that light and
            exposure do not count.
    """

    size: int = FACE_SIZE
    equalise: str = "none"
    channels: int = 1
    mean: tuple[float, ...] = (0.5076,)
    std: tuple[float, ...] = (0.2544,)
    standardise: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(self.mean))
        object.__setattr__(self, "std", tuple(self.std))
        if self.equalise not in EQUALISE_MODES or self.channels not in (1, 3) or self.size < 1:
            raise ValueError(f"impossible preprocessing: {self}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} value(s): {self}")

    def __call__(self, faces: np.ndarray) -> "torch.Tensor":
        """Prepare faces for the network.

        Args:
            faces: (N, H, W) grey or (N, H, W, 3) RGB, uint8.

        Returns:
            (N, channels, size, size) float32, normalised.
        """
        import torch

        grey = torch.from_numpy(np.array(equalise(to_grey(faces), self.equalise)))
        return self.normalise(resize(grey, self.size))

    def normalise(self, intensities: "torch.Tensor") -> "torch.Tensor":
        """Standardise each face where the settings say so, then normalise each channel by its mean and deviation.

        Args:
            intensities: (N, 1, H, W) float32 in 0..1.

        Returns:
            (N, channels, H, W) float32.
        """
        import torch

        if self.standardise:
            intensities = standardise(intensities)
        mean = torch.tensor(self.mean, device=intensities.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=intensities.device).view(1, -1, 1, 1)
        return (intensities - mean) / std

    def to_dict(self) -> dict:
        """Convert to the JSON-ready form; ``Preprocessing(**value)`` reads it back."""
        return asdict(self)


def standardise(intensities: "torch.Tensor") -> "torch.Tensor":
    """Give each face the mean `FACE_LEVEL` and the standard deviation `FACE_CONTRAST`.

    Args:
        intensities: (N, 1, H, W) float32 in 0..1. A face with less contrast than `MIN_CONTRAST` is not stretched fully.

    Returns:
        (N, 1, H, W) float32, mostly in 0..1.
    """
    centred = intensities - intensities.mean(dim=(2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return centred / deviation.clamp_min(MIN_CONTRAST) * FACE_CONTRAST + FACE_LEVEL


def resize(grey: "torch.Tensor", size: int) -> "torch.Tensor":
    """Scale images to a square, bilinear with anti-aliasing.

    Args:
        grey: (N, H, W) uint8.
        size: side of the result, pixels.

    Returns:
        (N, 1, size, size) float32 intensities in 0..1.
    """
    import torch.nn.functional as F

    images = grey.unsqueeze(1).float().div_(255)
    if images.shape[-2:] == (size, size) or len(images) == 0:
        return images if len(images) else images.new_zeros((0, 1, size, size))
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


def resampling_matrix(inputs: int, outputs: int) -> np.ndarray:
    """Compute `resize` as a matrix: for a square image it is ``R @ image @ R.T``.

    The weights are those of torch and Pillow: a triangle about each output pixel's centre, as wide as the output pixel
    where the image shrinks, cut off at the border and scaled to a sum of 1.

    Args:
        inputs: side of the image, pixels.
        outputs: side of the result, pixels.

    Returns:
        (outputs, inputs) float32; rows sum to 1.
    """
    scale = inputs / outputs
    reach = max(scale, 1.0)
    centres = (np.arange(outputs) + 0.5) * scale
    distances = np.abs(np.arange(inputs) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
