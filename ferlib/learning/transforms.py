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


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training face; each range is the largest deviation, drawn uniformly.

    Attributes:
        flip: probability of mirroring.
        rotation: degrees to either side.
        scale: 0.15 means a factor from 0.85 to 1.15.
        shift: fraction of the side, horizontally and vertically.
        light: contrast factor from 1 - light to 1 + light, and brightness by half of that.
        erasing: probability that one rectangle (2 % to 20 % of the area) is replaced by noise.
    """

    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    light: float = 0.3
    erasing: float = 0.25


@dataclass(frozen=True, eq=False)
class Views:
    """One random view of each of N images, in numbers that hold at every resolution.

    Attributes:
        geometry: (N, 2, 3) float32, the affine map for `torch.nn.functional.affine_grid`.
        light: (N, 2) float32, factor of the contrast and shift of the brightness.
        patch: (N, 4) float32, erased rectangle as top, left, height, width in shares of the side; height 0: none.
        noise: (N,) int64, where in the fixed noise the rectangle's content begins.
    """

    geometry: torch.Tensor
    light: torch.Tensor
    patch: torch.Tensor
    noise: torch.Tensor

    def __getitem__(self, chosen: torch.Tensor) -> "Views":
        """The views of some images."""
        return Views(self.geometry[chosen], self.light[chosen], self.patch[chosen], self.noise[chosen])

    def mirrored(self) -> "Views":
        """The same views, seen in a mirror."""
        top, left, height, width = self.patch.unbind(1)
        geometry = self.geometry * torch.tensor([-1.0, 1.0, 1.0])
        return Views(geometry, self.light, torch.stack([top, 1 - left - width, height, width], dim=1), self.noise)

    def to(self, device: torch.device | str) -> "Views":
        """The same views on a device."""
        return Views(*(part.to(device) for part in (self.geometry, self.light, self.patch, self.noise)))


_NOISE = torch.rand(1 << 18, generator=torch.Generator().manual_seed(0))


def draw_views(count: int, how: Augmentation, generator: torch.Generator) -> Views:
    """Draw one view of each of `count` images."""

    def uniform(deviation: float) -> torch.Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * deviation

    angle = torch.deg2rad(uniform(how.rotation))
    zoom = 1 / (1 + uniform(how.scale))
    mirror = torch.where(torch.rand(count, generator=generator) < how.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = uniform(2 * how.shift), uniform(2 * how.shift)  # grid_sample's image spans -1..1
    geometry = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], dim=1).view(count, 2, 3)
    light = torch.stack([1 + uniform(how.light), uniform(how.light / 2)], dim=1)
    # Random erasing (Zhong et al. 2020): 2 % to 20 % of the area, sides at most e to 1.
    erased = torch.rand(count, generator=generator) < how.erasing
    area = 0.02 + 0.18 * torch.rand(count, generator=generator)
    aspect = torch.exp(uniform(1.0))
    height = (area * aspect).sqrt().clamp_max(1.0)
    width = (area / aspect).sqrt().clamp_max(1.0)
    top = torch.rand(count, generator=generator) * (1 - height)
    left = torch.rand(count, generator=generator) * (1 - width)
    patch = torch.stack([top, left, torch.where(erased, height, 0.0), width], dim=1)
    return Views(geometry, light, patch, torch.randint(0, len(_NOISE), (count,), generator=generator))


def render(grey: torch.Tensor, views: Views, size: int) -> torch.Tensor:
    """(N, 1, size, size) float intensities in 0..1: each (N, H, W) uint8 image seen through its view.

    Flip, rotation, scale and shift are one bilinear resampling, straight to `size`; the border is replicated. The
    result lives where the images do.
    """
    count = len(grey)
    views = views.to(grey.device)
    grid = F.affine_grid(views.geometry, [count, 1, size, size], align_corners=False)
    images = grey.unsqueeze(1).float().div_(255)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    contrast, brightness = views.light.view(count, 2, 1, 1, 1).unbind(1)
    centre = images.mean(dim=(1, 2, 3), keepdim=True)
    images = ((images - centre) * contrast + centre + brightness).clamp_(0, 1)
    return _erase(images, views)


def _erase(images: torch.Tensor, views: Views) -> torch.Tensor:
    """Replace each view's rectangle by noise, in place."""
    size = images.shape[-1]
    chosen = torch.nonzero(views.patch[:, 2] > 0).flatten()
    top, left, height, width = views.patch[chosen].view(-1, 4, 1).unbind(1)
    place = (torch.arange(size, device=images.device) + 0.5) / size
    rows = (place >= top) & (place < top + height)
    columns = (place >= left) & (place < left + width)
    inside = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
    start = views.noise[chosen].unsqueeze(1) + torch.arange(size * size, device=images.device)
    noise = _NOISE.to(images.device)[start % len(_NOISE)].view(-1, 1, size, size)
    images[chosen] = torch.where(inside, noise, images[chosen])
    return images


def mix(
    views: torch.Tensor, targets: torch.Tensor, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix each view of a batch with another one, and their targets alike, or leave the batch as it is.

    With probability `mixup` the pictures are blended (Zhang et al. 2018), with probability `cutmix` a rectangle is
    pasted (Yun et al. 2019); the share is uniform in 0..1. (N, 1, S, S) views and (N, K) targets in and out.
    """
    choice, share = torch.rand(2, generator=generator).tolist()
    if choice >= mixup + cutmix:
        return views, targets
    order = torch.randperm(len(views), generator=generator).to(views.device)
    if choice < mixup:
        mixed = share * views + (1 - share) * views[order]
    else:
        side = views.shape[-1]
        cut = round(side * (1 - share) ** 0.5)
        top, left = torch.randint(0, side - cut + 1, (2,), generator=generator).tolist()
        mixed = views.clone()
        mixed[..., top : top + cut, left : left + cut] = views[order][..., top : top + cut, left : left + cut]
        share = 1 - cut * cut / (side * side)
    return mixed, share * targets + (1 - share) * targets[order]
