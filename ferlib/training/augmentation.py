"""Batched augmentation: random views of training faces, and mixing."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


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
