import subprocess
from dataclasses import replace

import pytest
import torch

from ferlib.bench import machine, models, training
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing


def tiny_checkpoint(name, size):
    return Checkpoint(name, build_model("custom_cnn", width=0.125).eval(), Preprocessing(size=size), 1.0, {})


def tiny_settings():
    config = training.bench_config("convnext_alone")
    pre = replace(config.preprocessing, size=40)
    return replace(config, epochs=2, stem="conv", sizes=((0.0, 32), (0.5, 40)), preprocessing=pre)


@pytest.mark.slow
@pytest.mark.parametrize("loop", [training.our_loop, training.our_recipe, training.usual_loop])
def test_each_loop_trains_and_gives_a_speed(loop):
    assert loop(tiny_settings(), 256) > 1


def test_the_whole_recipe_goes_through_its_sizes(monkeypatch):
    asked = []

    def fit(config, pictures, precision):
        asked.append((config.epochs, config.head_epochs, config.sizes, pictures, precision))
        return [{"seconds": 2.0}] * config.epochs

    monkeypatch.setattr(training, "_fit", fit)
    assert training.our_recipe(tiny_settings(), 2048) == 256 / 2
    assert training.our_loop(tiny_settings(), 2048, "bf16") == 2048 / 2
    assert asked == [(2, 1, ((0.0, 32), (0.5, 40)), 256, None), (2, 0, ((0.0, 40),), 2048, "bf16")]


def test_each_measurement_is_a_process_that_may_preload_a_library(monkeypatch):
    asked = []

    def run(command, env, **options):
        asked.append((command[3:], env.get("LD_PRELOAD")))
        return subprocess.CompletedProcess(command, 0, "a line of a library\n250.0\n", "")

    monkeypatch.setattr(machine, "code_commit", lambda: "0")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(training, "tcmalloc_path", lambda: "libtcmalloc.so")
    monkeypatch.setenv("LD_PRELOAD", "libother.so")
    heard: list[str] = []
    measured = training.compare_loops("convnext_alone", 512, rounds=2, say=heard.append)
    assert [preload for _, preload in asked] == ([None, "libtcmalloc.so"] * 2 + ["libtcmalloc.so"] * 3) * 2
    assert asked[0][0] == ["usual", "convnext_alone", "512"]
    assert asked[-1][0] == ["ours, whole recipe, bf16", "convnext_alone", "512"]
    assert measured["times_as_fast"] == dict.fromkeys(training.LOOPS, 1.0)
    assert measured["pictures_per_second"] == dict.fromkeys(training.LOOPS, 250.0)
    assert heard[0] == "round 1 of 2, usual: 250.0 pictures a second"
    assert len(heard) == 2 * len(training.LOOPS)


def test_without_tcmalloc_its_rows_are_left_out(monkeypatch):
    speeds = {
        "usual": 100.0, "ours, glibc malloc": 180.0, "ours, bf16": 250.0, "ours, whole recipe": 230.0,
        "ours, whole recipe, bf16": 300.0,
    }  # fmt: skip
    monkeypatch.setattr(training, "tcmalloc_path", lambda: None)
    monkeypatch.setattr(training, "_speed_in_process", lambda name, *rest: speeds[name])
    measured = training.compare_loops(rounds=1)
    assert measured["pictures_per_second"] == speeds
    assert measured["times_as_fast"]["ours, glibc malloc"] == pytest.approx(1.8)
    assert "2.30 x the usual loop" in training.render_loops(measured)


def test_models_take_turns_and_threads_are_given_back():
    threads = torch.get_num_threads()
    measured = models.compare_models([tiny_checkpoint("a", 24), tiny_checkpoint("b", 48)], rounds=5, warm_up=1)
    assert measured["models"]["a"]["milliseconds"] > 0
    assert measured["models"]["b"]["multiply_adds"] > 3 * measured["models"]["a"]["multiply_adds"]
    assert torch.get_num_threads() == threads
    assert "ms a face" in models.render_models(measured)
