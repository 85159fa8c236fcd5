"""Batched augmentation: random views of training faces, and mixup."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ferlib.training.config import Augmentation


@dataclass(frozen=True, eq=False)
class Views:
    """Random views of N images, one of each, in numbers that hold at every resolution.

    Attributes:
        geometry: (N, 2, 3) float32, the affine map for `torch.nn.functional.affine_grid`.
        light: (N, 2) float32, factor of the contrast and shift of the brightness.
        patch: (N, 4) float32, erased rectangle as top, left, height, width in shares of the side; height 0 for none.
        noise: (N,) int64, index in the fixed noise at which the rectangle's content begins; the grain begins half of
            the noise further.
        blur: (N,) float32, standard deviation of the blur in pixels of the image, 0..`MAX_BLUR`.
        grain: (N,) float32, standard deviation of the pixels' noise, as a share of white.
    """

    geometry: torch.Tensor
    light: torch.Tensor
    patch: torch.Tensor
    noise: torch.Tensor
    blur: torch.Tensor
    grain: torch.Tensor

    def __getitem__(self, indices: torch.Tensor) -> "Views":
        """Select the views of some images."""
        return Views(*(part[indices] for part in self.parts()))

    def parts(self) -> tuple[torch.Tensor, ...]:
        """Return all attributes, in order."""
        return self.geometry, self.light, self.patch, self.noise, self.blur, self.grain

    def mirrored(self) -> "Views":
        """Mirror the views, rectangles included."""
        top, left, height, width = self.patch.unbind(1)
        geometry = self.geometry * torch.tensor([-1.0, 1.0, 1.0])
        patch = torch.stack([top, 1 - left - width, height, width], dim=1)
        return replace(self, geometry=geometry, patch=patch)

    def to(self, device: torch.device | str) -> "Views":
        """Move the views to a device."""
        return Views(*(part.to(device) for part in self.parts()))


_NOISE = torch.rand(1 << 18, generator=torch.Generator().manual_seed(0))


def draw_views(count: int, augmentation: Augmentation, generator: torch.Generator) -> Views:
    """Draw one view of each image.

    Args:
        count: number of images.
        augmentation: ranges and probabilities.
        generator: source of the random numbers, on the CPU.
    """

    def uniform(deviation: float) -> torch.Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * deviation

    angle = torch.deg2rad(uniform(augmentation.rotation))
    zoom = 1 / (1 + uniform(augmentation.scale))
    mirror = torch.where(torch.rand(count, generator=generator) < augmentation.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = (
        uniform(2 * augmentation.shift),
        uniform(2 * augmentation.shift),
    )  # grid_sample's image spans -1..1
    geometry = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], dim=1).view(count, 2, 3)
    light = torch.stack([1 + uniform(augmentation.light), uniform(augmentation.light / 2)], dim=1)
    # Random erasing (Zhong et al. 2020): 2 % to 20 % of the area, sides at most e to 1.
    erased = torch.rand(count, generator=generator) < augmentation.erasing
    area = 0.02 + 0.18 * torch.rand(count, generator=generator)
    aspect = torch.exp(uniform(1.0))
    height = (area * aspect).sqrt().clamp_max(1.0)
    width = (area / aspect).sqrt().clamp_max(1.0)
    top = torch.rand(count, generator=generator) * (1 - height)
    left = torch.rand(count, generator=generator) * (1 - width)
    patch = torch.stack([top, left, torch.where(erased, height, 0.0), width], dim=1)
    noise = torch.randint(0, len(_NOISE), (count,), generator=generator)
    # Drawn last and only when they are used, so that the views of settings without them stay as they were.
    blur, grain = (
        torch.rand(count, generator=generator) * deviation if deviation else torch.zeros(count)
        for deviation in (augmentation.blur, augmentation.grain)
    )
    return Views(geometry, light, patch, noise, blur, grain)


def plain_views(count: int) -> Views:
    """Make views that show each image as it is.

    Args:
        count: number of images.
    """
    return draw_views(count, Augmentation(flip=0, rotation=0, scale=0, shift=0, light=0, erasing=0), torch.Generator())


def render_views(grey: torch.Tensor, views: Views, size: int) -> torch.Tensor:
    """Render each image as its view shows it.

    Blur and grain come first, at the image's own size. Flip, rotation, scale and shift are one bilinear resampling,
    straight to `size`; the border is replicated.

    Args:
        grey: (N, H, W) uint8 images.
        views: N views.
        size: side of the result, pixels.

    Returns:
        (N, 1, size, size) float32 intensities in 0..1, on the images' device.
    """
    count = len(grey)
    views = views.to(grey.device)
    grid = F.affine_grid(views.geometry, [count, 1, size, size], align_corners=False)
    images = _add_grain(_blur(grey.unsqueeze(1).float().div_(255), views.blur), views)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    contrast, brightness = views.light.view(count, 2, 1, 1, 1).unbind(1)
    centre = images.mean(dim=(1, 2, 3), keepdim=True)
    images = ((images - centre) * contrast + centre + brightness).clamp_(0, 1)
    return _erase(images, views)


def _blur(images: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Blur (N, 1, H, W) images by kernels of three pixels across and down, each of its standard deviation."""
    if not deviations.any():
        return images
    side = (deviations**2 / 2).view(-1, 1, 1, 1)  # weight of each neighbour: the kernel's variance is twice that
    for dimension, padding in ((2, (0, 0, 1, 1)), (3, (1, 1, 0, 0))):
        padded, length = F.pad(images, padding, mode="replicate"), images.shape[dimension]
        before, after = padded.narrow(dimension, 0, length), padded.narrow(dimension, 2, length)
        images = (1 - 2 * side) * images + side * (before + after)
    return images


def _add_grain(images: torch.Tensor, views: Views) -> torch.Tensor:
    """Add evenly distributed noise of each view's standard deviation to (N, 1, H, W) images."""
    if not views.grain.any():
        return images
    start = views.noise.unsqueeze(1) + len(_NOISE) // 2 + torch.arange(images[0].numel(), device=images.device)
    noise = _NOISE.to(images.device)[start % len(_NOISE)].view_as(images) - 0.5
    return images + noise * (12**0.5 * views.grain).view(-1, 1, 1, 1)  # the noise has a variance of 1 / 12


def _erase(images: torch.Tensor, views: Views) -> torch.Tensor:
    """Replace each view's rectangle by noise, in place."""
    size = images.shape[-1]
    erased = torch.nonzero(views.patch[:, 2] > 0).flatten()
    top, left, height, width = views.patch[erased].view(-1, 4, 1).unbind(1)
    centres = (torch.arange(size, device=images.device) + 0.5) / size  # of the pixels, in shares of the side
    rows = (centres >= top) & (centres < top + height)
    columns = (centres >= left) & (centres < left + width)
    inside = (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)
    start = views.noise[erased].unsqueeze(1) + torch.arange(size * size, device=images.device)
    noise = _NOISE.to(images.device)[start % len(_NOISE)].view(-1, 1, size, size)
    images[erased] = torch.where(inside, noise, images[erased])
    return images


def mix_batch(
    views: torch.Tensor, targets: torch.Tensor, mixup: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blend each view of a batch with another one, and their targets alike, or leave the batch as it is.

    Mixup by Zhang et al. 2018, with one share for the whole batch, drawn uniformly from 0..1.

    Args:
        views: (N, 1, S, S) intensities.
        targets: (N, K) target of each view.
        mixup: probability that the batch is mixed.
        generator: source of the random numbers, on the CPU.

    Returns:
        Views and targets in the shapes given.
    """
    choice, share = torch.rand(2, generator=generator).tolist()
    if choice >= mixup:
        return views, targets
    order = torch.randperm(len(views), generator=generator).to(views.device)
    return share * views + (1 - share) * views[order], share * targets + (1 - share) * targets[order]
