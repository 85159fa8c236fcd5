"""Data-parallel and mixed-precision training: the same run in two processes, and in lower precision."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from ferlib.errors import FerlibError
from ferlib.models.networks import build_model
from ferlib.training import device as hardware
from ferlib.training import loop
from ferlib.training.distillation import Teachers
from ferlib.training.loop import fit
from ferlib.training.validation import valid_scores

SCRIPT = """
import sys
from pathlib import Path
import torch
from ferlib.training.config import TrainConfig
from ferlib.training.loop import fit

torch.set_num_threads(1)
config = TrainConfig.from_dict(__import__("json").loads(sys.argv[1]))
data = torch.load(sys.argv[2], weights_only=False)
fit(config, data, Path(sys.argv[3]), progress=False)
"""


@pytest.fixture
def config(tiny):
    """A network without batch norm and dropout, in which each image counts by itself."""
    return replace(
        tiny, model="convnext_atto", width=1.0, dropout=0.0, epochs=2, batch_size=16, sizes=((0, 32),),
        optimizer="adamw", peak_lr=1e-3,
    )  # fmt: skip


@pytest.fixture
def few(tiny_set):
    return replace(
        tiny_set, images=tiny_set.images[:64], targets=tiny_set.targets[:64],
        valid_images=tiny_set.valid_images[:16], valid_labels=tiny_set.valid_labels[:16],
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_follow_the_loss_curve_of_one(tmp_path, config, few):
    (tmp_path / "script.py").write_text(SCRIPT)
    torch.save(few, tmp_path / "set.pt")
    arguments = [json.dumps(config.to_dict()), str(tmp_path / "set.pt"), str(tmp_path / "two")]
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *launch, str(tmp_path / "script.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    single = fit(config, few, tmp_path / "one", progress=False)
    pair = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    for row, other in zip(single["history"], pair["history"], strict=True):
        assert other["train_loss"] == pytest.approx(row["train_loss"], rel=1e-4)
        assert other["valid_loss"] == pytest.approx(row["valid_loss"], rel=1e-3)
        assert other["lr"] == row["lr"]


@pytest.mark.slow
def test_bfloat16_trains_and_keeps_full_precision_weights(tmp_path, config, few):
    full_precision = fit(config, few, tmp_path / "full", progress=False)
    low_precision = fit(config, few, tmp_path / "low", precision="bf16", progress=False)
    assert low_precision["history"][0]["train_loss"] != full_precision["history"][0]["train_loss"]
    assert low_precision["history"][0]["train_loss"] == pytest.approx(
        full_precision["history"][0]["train_loss"], rel=0.02
    )
    assert {value.dtype for value in low_precision["state"].values()} == {torch.float32}
    again = fit(config, few, tmp_path / "again", progress=False)  # the precision was that run's alone
    assert again["history"][0]["train_loss"] == full_precision["history"][0]["train_loss"]


@pytest.mark.slow
def test_valid_is_scored_in_full_precision_with_an_average_or_without(tmp_path, config, few):
    plain = replace(config, ema_decay=0.0)
    best = fit(plain, few, tmp_path / "run", precision="bf16", progress=False)
    model = build_model(**plain.model_arguments()).to(memory_format=torch.channels_last)
    model.load_state_dict(torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"])
    scores = valid_scores(model, few, plain.preprocessing)
    last = best["history"][-1]
    assert (last["valid_loss"], last["valid_accuracy"]) == (scores.loss, scores.accuracy)


@pytest.mark.slow
def test_a_run_goes_on_in_the_precision_in_which_it_began(tmp_path, config, few):
    fit(replace(config, epochs=1), few, tmp_path, precision="bf16", progress=False)
    with pytest.raises(FerlibError, match="begun with --precision bf16 and would go on with no; say --precision bf16"):
        fit(replace(config, epochs=1), few, tmp_path, progress=False)


def test_a_precision_that_the_device_lacks_is_one_sentence(tmp_path, config, few, monkeypatch):
    def refuse(**options):
        raise ValueError("fp16 mixed precision requires a device in ...")

    monkeypatch.setattr(hardware, "Accelerator", refuse)
    with pytest.raises(FerlibError, match="this device cannot train with the precision 'fp16'; leave it out"):
        fit(config, few, tmp_path, precision="fp16", progress=False)


def test_apples_gpu_is_left_alone(monkeypatch):
    asked = {}
    monkeypatch.setattr(hardware, "Accelerator", lambda **options: asked.update(options))
    for there in (True, False):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=there: there)
        hardware.accelerator(None, [])
        assert asked["cpu"] is there


def test_processes_that_cannot_share_a_batch_are_told(tmp_path, config, few, monkeypatch):
    class Three:
        num_processes, is_main_process, device = 3, True, torch.device("cpu")

    monkeypatch.setattr(loop, "accelerator", lambda *_: Three())
    with pytest.raises(FerlibError, match="a batch of 16 cannot be shared evenly by 3 processes"):
        loop._Run(config, few, tmp_path, Teachers((), config), tmp_path)
