"""From uint8 faces to network input: the preprocessing that goes with a checkpoint, and batched augmentation.

`Preprocessing` is the one source of size, equalisation, channels and normalisation. It is stored with each checkpoint
and used alike by training, evaluation and camera.
"""

from dataclasses import asdict, dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

EQUALISE_MODES = ("none", "global", "clahe")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def to_grey(images: np.ndarray) -> np.ndarray:
    """(N, H, W) uint8 luma (ITU-R BT.601) of (N, H, W, 3) uint8 RGB; grey input comes back as it is."""
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
    """(N, H, W) uint8 with each image's histogram equalised.

    `mode`: ``"none"``; ``"global"``, one histogram for the whole face; ``"clahe"``, contrast-limited (clip 2.0) over
    a 4x4 grid of tiles.
    """
    if mode not in EQUALISE_MODES:
        raise ValueError(f"unknown equalisation {mode!r}; choose one of {', '.join(EQUALISE_MODES)}")
    if mode == "none" or len(images) == 0:
        return np.asarray(images)
    change = cv2.equalizeHist if mode == "global" else cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply
    return np.stack([change(np.ascontiguousarray(image)) for image in images])


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a face before the network sees it; callable.

    Attributes:
        size: side of the square input, pixels.
        equalise: one of `EQUALISE_MODES`.
        channels: 1, or 3 for networks made for RGB (the grey image three times).
        mean, std: per channel, of intensities in 0..1.
    """

    size: int = 48
    equalise: str = "none"
    channels: int = 1
    mean: tuple[float, ...] = (0.5076,)  # the training split's own mean and standard deviation
    std: tuple[float, ...] = (0.2544,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(self.mean))
        object.__setattr__(self, "std", tuple(self.std))
        if self.equalise not in EQUALISE_MODES or self.channels not in (1, 3) or self.size < 1:
            raise ValueError(f"impossible preprocessing: {self}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} value(s): {self}")

    def __call__(self, faces: np.ndarray) -> torch.Tensor:
        """(N, channels, size, size) float32, normalised, from (N, H, W) or (N, H, W, 3) uint8 faces."""
        grey = torch.from_numpy(np.array(equalise(to_grey(faces), self.equalise)))
        return self.normalise(resize(grey, self.size))

    def normalise(self, intensities: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) from (N, 1, H, W) intensities in 0..1."""
        mean = torch.tensor(self.mean, device=intensities.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=intensities.device).view(1, -1, 1, 1)
        return (intensities - mean) / std

    def to_dict(self) -> dict:
        """JSON-ready form; ``Preprocessing(**value)`` reads it back."""
        return asdict(self)


def resize(grey: torch.Tensor, size: int) -> torch.Tensor:
    """(N, 1, size, size) float intensities in 0..1 from (N, H, W) uint8, bilinear with anti-aliasing."""
    images = grey.unsqueeze(1).float().div_(255)
    if images.shape[-2:] == (size, size) or len(images) == 0:
        return images if len(images) else images.new_zeros((0, 1, size, size))
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


FACE_SIZE = 48
"""Side of the faces that a graph takes, pixels: FER2013's, and what `faces.cropping` cuts."""
