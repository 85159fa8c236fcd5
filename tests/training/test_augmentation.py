from dataclasses import replace

import numpy as np
import pytest
import torch

from ferlib.models.preprocessing import resize
from ferlib.training.augmentation import draw_views, mix_batch, plain_views, render_views
from ferlib.training.config import Augmentation

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
STILL = Augmentation(flip=0, rotation=0, scale=0, shift=0, light=0, erasing=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def augment(grey, size, augmentation, generator):
    return render_views(grey, draw_views(len(grey), augmentation, generator), size)


def test_still_augmentation_is_the_identity():
    views = augment(torch.from_numpy(FACES), 48, STILL, generator())
    assert torch.allclose(views, resize(torch.from_numpy(FACES), 48), atol=1e-5)


def test_flip_mirrors_exactly():
    views = augment(torch.from_numpy(FACES), 48, Augmentation(1, 0, 0, 0, 0, 0), generator())
    assert torch.allclose(views, resize(torch.from_numpy(FACES), 48).flip(-1), atol=1e-5)


def test_augmentation_depends_on_the_generator_alone():
    faces = torch.from_numpy(FACES)
    first, again, other = (augment(faces, 40, Augmentation(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (6, 1, 40, 40)
    assert first.min() >= 0
    assert first.max() <= 1


def test_rotation_keeps_the_centre_and_stays_in_range():
    dot = np.zeros((200, 49, 49), np.uint8)
    dot[:, 23:26, 36:39] = 255  # 13 pixels right of the centre
    views = augment(torch.from_numpy(dot), 49, Augmentation(0, 20, 0, 0, 0, 0), generator())
    mass = views[:, 0] / views[:, 0].sum(dim=(1, 2), keepdim=True)
    y = (mass.sum(dim=2) * torch.arange(49)).sum(dim=1) - 24
    x = (mass.sum(dim=1) * torch.arange(49)).sum(dim=1) - 24
    angles = torch.rad2deg(torch.atan2(y, x))
    assert torch.allclose(torch.hypot(x, y), torch.full((200,), 13.0), atol=0.3)
    assert angles.abs().max() <= 20.5
    assert angles.max() > 15
    assert angles.min() < -15


def test_shift_is_a_fraction_of_the_side_both_ways():
    dot = np.zeros((300, 48, 48), np.uint8)
    dot[:, 23:25, 23:25] = 255
    views = augment(torch.from_numpy(dot), 48, Augmentation(0, 0, 0, 0.1, 0, 0), generator())
    for axis in (2, 3):
        profile = views.sum(dim=(1, 5 - axis))
        place = (profile * torch.arange(48)).sum(dim=1) / profile.sum(dim=1) - 23.5
        assert 4 < place.abs().max() <= 4.85
        assert place.min() < -4
        assert place.max() > 4


def test_scale_moves_a_dot_in_and_out():
    dot = np.zeros((300, 49, 49), np.uint8)
    dot[:, 23:26, 36:39] = 255  # 13 pixels right of the centre
    views = augment(torch.from_numpy(dot), 49, Augmentation(0, 0, 0.2, 0, 0, 0), generator())
    profile = views.sum(dim=(1, 2))
    distance = (profile * torch.arange(49)).sum(dim=1) / profile.sum(dim=1) - 24
    assert 13 * 0.8 - 0.3 <= distance.min() < 11.2
    assert 14.8 < distance.max() <= 13 * 1.2 + 0.3


def test_light_changes_contrast_and_brightness():
    grey = np.full((300, 20, 20), 128, np.uint8)
    grey[:, :, 10:] = 148
    views = augment(torch.from_numpy(grey), 20, Augmentation(0, 0, 0, 0, 0.4, 0), generator())
    contrast = (views[:, 0, :, -1] - views[:, 0, :, 0]).mean(dim=1) / (20 / 255)
    brightness = views.mean(dim=(1, 2, 3)) - 138 / 255
    assert 0.6 <= contrast.min() < 0.7
    assert 1.3 < contrast.max() <= 1.4 + 1e-4
    assert 0.15 < brightness.abs().max() <= 0.2 + 1e-4


def test_erasing_touches_only_some_images_and_a_part_of_them():
    grey = torch.full((400, 48, 48), 128, dtype=torch.uint8)
    views = augment(grey, 48, Augmentation(0, 0, 0, 0, 0, erasing=0.3), generator())
    changed = (views - 128 / 255).abs().gt(1e-3).float().mean(dim=(1, 2, 3))
    assert 0.2 < changed.gt(0).float().mean() < 0.4
    assert changed.max() < 0.25


def test_blur_has_its_standard_deviation_and_keeps_the_light():
    dot = torch.zeros(1, 49, 49, dtype=torch.uint8)
    dot[0, 24, 24] = 255
    views = replace(plain_views(1), blur=torch.tensor([0.7]))
    blurred = render_views(dot, views, 49)[0, 0]
    place = torch.arange(49.0) - 24
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    for sums in (blurred.sum(dim=0), blurred.sum(dim=1)):
        assert (sums * place**2).sum().item() == pytest.approx(0.7**2, abs=1e-5)


def test_grain_has_its_standard_deviation():
    grey = torch.full((40, 48, 48), 128, dtype=torch.uint8)
    views = replace(plain_views(40), grain=torch.full((40,), 0.05), noise=torch.arange(40) * 2304)
    change = render_views(grey, views, 48) - 128 / 255
    assert change.std().item() == pytest.approx(0.05, rel=0.02)
    assert change.mean().item() == pytest.approx(0, abs=1e-3)


def test_plain_views_show_the_images_as_they_are():
    faces = torch.randint(0, 256, (3, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.allclose(render_views(faces, plain_views(3), 48)[:, 0], faces / 255, atol=1e-5)


def test_blur_and_grain_change_no_other_draw():
    plain = draw_views(5, Augmentation(), torch.Generator().manual_seed(4))
    both = draw_views(5, Augmentation(blur=0.5, grain=0.03), torch.Generator().manual_seed(4))
    assert all(torch.equal(*pair) for pair in zip(plain.parts()[:4], both.parts()[:4], strict=True))
    assert 0 <= both.blur.min() < both.blur.max() <= 0.5
    assert 0 <= both.grain.min() < both.grain.max() <= 0.03
    assert not plain.blur.any()
    assert not plain.grain.any()


def test_mixing_keeps_targets_in_step_with_pixels():
    views = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 20, 20).clone()
    targets = torch.eye(8)[:4]
    level = torch.arange(8.0)
    mixed, mixed_targets = mix_batch(views, targets, 1.0, generator(3))
    assert not torch.equal(mixed, views)
    assert torch.allclose(mixed.mean(dim=(1, 2, 3)), mixed_targets @ level, atol=1e-5)
    assert torch.allclose(mixed_targets.sum(dim=1), torch.ones(4))


def test_unmixed_batches_pass_through():
    views, targets = torch.rand(4, 1, 8, 8), torch.eye(8)[:4]
    mixed, mixed_targets = mix_batch(views, targets, 0.0, generator())
    assert mixed is views
    assert mixed_targets is targets


def test_mirrored_views_show_the_mirror_image_and_erase_the_mirrored_place():
    faces = torch.randint(0, 256, (6, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    views = draw_views(6, Augmentation(erasing=0.0), torch.Generator().manual_seed(1))
    assert torch.allclose(render_views(faces, views.mirrored(), 40), render_views(faces, views, 40).flip(3), atol=1e-5)
    erased = draw_views(6, Augmentation(erasing=1.0), torch.Generator().manual_seed(1))
    _, left, _, width = erased.patch.unbind(1)
    assert torch.allclose(erased.mirrored().patch[:, 1] + width, 1 - left)
    assert torch.allclose(erased.mirrored().mirrored().patch, erased.patch, atol=1e-6)
