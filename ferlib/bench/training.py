"""Speed, measured in turns on one idle machine: our training loop beside the usual one, and every model's cost.

The usual loop is what a tutorial has: one PNG a face in a folder a class, torchvision transforms picture by picture,
a DataLoader with two workers, the network in torch's default memory layout and full precision. The network, its input
size, the batch and the optimiser are the same on both sides. Each measurement is a process of its own.
"""

import ctypes.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from ferlib.bench.machine import machine
from ferlib.data.drawn.dataset import draw_faces
from ferlib.errors import FerlibError
from ferlib.models.networks import build_model
from ferlib.training import recipes
from ferlib.training.batches import TrainingSet
from ferlib.training.config import TrainConfig
from ferlib.training.loop import fit


def tcmalloc_path() -> str | None:
    """tcmalloc's library for ``LD_PRELOAD``, or None; on Debian and Ubuntu ``apt install libtcmalloc-minimal4``."""
    return ctypes.util.find_library("tcmalloc_minimal") if sys.platform == "linux" else None


def settings(recipe: str) -> TrainConfig:
    """A recipe as both loops run it: from random weights, without teachers, averages, dropout and clipping."""
    return replace(
        recipes.recipe(recipe), pretrained=False, start="", teachers=(), views=0, dropout=0.0, drop_path=0.0,
        ema_decay=0.0, clip_norm=0.0,
    )  # fmt: skip


def compare_loops(
    recipe: str = "convnext", pictures: int = 2560, rounds: int = 3, say: Callable[[str], None] = lambda _: None
) -> dict:
    """Pictures a second of each of `LOOPS`, medians over `rounds` in turns; JSON-ready.

    All run the recipe's network, at its final size throughout; ``whole recipe`` takes the sizes and the frozen epochs
    that the recipe has, from its first epoch to its last; ``bf16`` is `training.fit`'s mixed precision, which is
    faster where the processor has AVX512-BF16 or AMX and slower elsewhere. ``times_as_fast`` is relative to ``usual``.
    `say` hears each measurement as it comes.

    Raises:
        FerlibError: a measurement failed; the sentence has its last line.
    """
    library, config = tcmalloc_path(), settings(recipe)
    loops = {name: how for name, how in LOOPS.items() if library or (name != "ours" and "tcmalloc" not in name)}
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds):
        for name, (_, preload) in loops.items():
            speeds[name].append(_measure(name, recipe, pictures, library if preload else None))
            say(f"round {turn + 1} of {rounds}, {name}: {speeds[name][-1]:.1f} pictures a second")
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        "recipe": recipe, "model": config.model, "stem": config.stem, "size": config.preprocessing.size,
        "sizes": [list(pair) for pair in config.sizes], "batch": config.batch_size, "pictures": pictures,
        "rounds": rounds, "pictures_per_second": medians, "all": speeds,
        "times_as_fast": {name: speed / medians["usual"] for name, speed in medians.items()}, **machine(),
    }  # fmt: skip


def _measure(name: str, recipe: str, pictures: int, preload: str | None) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if preload:
        environment["LD_PRELOAD"] = preload
    command = [sys.executable, "-m", "ferlib.bench.training", name, recipe, str(pictures)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FerlibError(f"the loop {name!r} could not be measured ({last}); run it again on an idle machine.")
    return json.loads(done.stdout.splitlines()[-1])


def our_loop(config: TrainConfig, pictures: int, precision: str | None = None) -> float:
    """Pictures a second of `training.fit` at the final size, drawing of views and one step on valid included.

    Two epochs, of which the second one counts. `precision` is of `training.fit`.
    """
    size = config.preprocessing.size
    history = _fit(replace(config, epochs=2, head_epochs=0, sizes=((0.0, size),)), pictures, precision)
    return pictures // config.batch_size * config.batch_size / history[1]["seconds"]


def our_recipe(config: TrainConfig, pictures: int, precision: str | None = None) -> float:
    """Pictures a second of `training.fit` over all epochs of a recipe, with an eighth of the pictures in each."""
    few = max(config.batch_size, pictures // 8)
    history = _fit(config, few, precision)
    done = few // config.batch_size * config.batch_size * config.epochs
    return done / sum(row["seconds"] for row in history)


def _fit(config: TrainConfig, pictures: int, precision: str | None) -> list[dict]:
    images, labels = _faces(pictures)
    data = TrainingSet(
        torch.from_numpy(images), torch.eye(8)[labels], torch.from_numpy(images[:8]), torch.tensor(labels[:8]),
        np.arange(8), "drawn",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return fit(config, data, Path(folder), precision=precision, progress=False)["history"]


def usual_loop(config: TrainConfig, pictures: int) -> float:
    """Pictures a second of the tutorial's loop at the final size; two epochs, of which the second one counts."""
    pre, how = config.preprocessing, config.augmentation
    net = build_model(**config.model_arguments())
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    each = transforms.Compose(
        [
            transforms.Grayscale(pre.channels), transforms.Resize((pre.size, pre.size)),
            transforms.RandomHorizontalFlip(how.flip),
            transforms.RandomAffine(how.rotation, (how.shift,) * 2, (1 - how.scale, 1 + how.scale)),
            transforms.ColorJitter(how.light / 2, how.light), transforms.ToTensor(),
            transforms.Normalize(pre.mean, pre.std), transforms.RandomErasing(how.erasing, (0.02, 0.2)),
        ]
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        _write_pngs(Path(folder), *_faces(pictures))
        loader = DataLoader(
            datasets.ImageFolder(folder, each), config.batch_size, shuffle=True, num_workers=2, drop_last=True,
            persistent_workers=True,
        )  # fmt: skip
        net.train()
        for _ in range(2):
            start = time.perf_counter()
            for images, labels in loader:
                loss = F.cross_entropy(net(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            seconds = time.perf_counter() - start
    return len(loader) * config.batch_size / seconds


LOOPS: dict[str, tuple[Callable[[TrainConfig, int], float], bool]] = {
    "usual": (usual_loop, False),
    "usual, tcmalloc": (usual_loop, True),
    "ours, glibc malloc": (our_loop, False),
    "ours": (our_loop, True),
    "ours, bf16": (partial(our_loop, precision="bf16"), True),
    "ours, whole recipe": (our_recipe, True),
    "ours, whole recipe, bf16": (partial(our_recipe, precision="bf16"), True),
}
"""Name -> the loop, and whether Google's allocator is loaded before it (`tcmalloc_path`)."""


def _faces(count: int) -> tuple[np.ndarray, list[int]]:
    """(N, 48, 48) uint8 drawn faces and their classes; a few hundred, repeated, for speed does not depend on them."""
    labels = [index % 8 for index in range(count)]
    drawn = draw_faces([index % 8 for index in range(256)], seed=0, size=48)
    return drawn[np.arange(count) % 256], labels


def _write_pngs(folder: Path, images: np.ndarray, labels: list[int]) -> None:
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / str(label)
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{index:06d}.png")


def render_loops(found: dict) -> str:
    """`compare_loops`'s result as a few lines for people."""
    what = f"{found['recipe']} ({found['model']}), {found['size']} pixels, batches of {found['batch']}"
    lines = [f"{what}, medians of {found['rounds']}:"]
    for name, speed in found["pictures_per_second"].items():
        lines.append(
            f"  {name:<24} {speed:7.1f} pictures a second   {found['times_as_fast'][name]:.2f} x the usual loop"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    which, name, count = sys.argv[1:]
    sys.stdout.write(json.dumps(LOOPS[which][0](settings(name), int(count))) + "\n")
