import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from ferlib.data.votes import share_targets
from ferlib.errors import FerlibError
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import LITE_MEAN, LITE_STD, Preprocessing
from ferlib.models.pretrained import load_pretrained
from ferlib.training import loop
from ferlib.training.augmentation import draw_views, plain_views, render_views
from ferlib.training.batches import class_weights, draw_epoch, prepare
from ferlib.training.config import Augmentation, TrainConfig
from ferlib.training.distillation import TeacherLogits, Teachers, distillation_loss
from ferlib.training.loop import fit
from ferlib.training.optim import learning_rate, make_optimizer, set_rate
from ferlib.training.run_files import HISTORY_COLUMNS
from ferlib.training.validation import predict_logits

TIMELESS = [name for name in HISTORY_COLUMNS if name != "seconds"]


def without_times(history):
    return [{name: float(row[name]) for name in TIMELESS} for row in history]


def read_history(run):
    with open(run / "history.csv", newline="") as handle:
        return list(csv.DictReader(handle))


def test_prepare_keeps_clean_images_with_a_target(drawn, drawn_manifest, tiny):
    known = drawn.where(drawn.split != "test")
    clean = prepare(known, tiny, drawn_manifest)
    everything = prepare(known, replace(tiny, clean=False), None)
    assert len(clean.images) < len(everything.images) <= 160
    assert torch.allclose(clean.targets.sum(dim=1), torch.ones(len(clean.targets)))
    assert len(clean.valid_images) == len(clean.valid_labels) == len(clean.valid_ids)
    assert (clean.valid_labels >= 0).all()
    assert not set(clean.valid_ids) & set(drawn.ids[drawn.split == "test"])


def test_prepare_refuses_test_rows(drawn, drawn_manifest, tiny):
    with pytest.raises(ValueError, match="must not see the test split"):
        prepare(drawn, tiny, drawn_manifest)


def test_prepare_needs_a_manifest_for_a_clean_run(drawn, tiny):
    with pytest.raises(ValueError, match="manifest"):
        prepare(drawn.where(drawn.split != "test"), tiny, None)


def test_prepare_without_usable_images_says_so(drawn, drawn_manifest, tiny):
    with pytest.raises(FerlibError, match="no usable training"):
        prepare(drawn.where(drawn.split == "valid"), tiny, drawn_manifest)


def test_a_run_may_learn_from_all_votes(drawn, drawn_manifest, tiny):
    rows = drawn.where(drawn.split != "test")
    prepared = prepare(rows, replace(tiny, mode="shares", clean=False), None)
    use = (rows.split == "train") & share_targets(rows.votes).any(axis=1)
    assert np.array_equal(prepared.targets.numpy(), share_targets(rows.votes[use]))


def test_equalisation_is_done_before_training(drawn, drawn_manifest, tiny):
    equal = prepare(
        drawn.where(drawn.split != "test"),
        replace(tiny, preprocessing=Preprocessing(equalise="global")),
        drawn_manifest,
    )
    assert np.ptp(equal.images.numpy(), axis=(1, 2)).min() > 200


@pytest.mark.slow
def test_loss_falls_on_eight_images(tmp_path, drawn, tiny):
    config = replace(
        tiny, epochs=40, batch_size=8, clean=False, mode="majority", dropout=0.0, peak_lr=0.05, weight_decay=0.0,
        augmentation=Augmentation(0, 0, 0, 0, 0, 0), sizes=((0, 32),),
    )  # fmt: skip
    every = prepare(drawn.where(drawn.split != "test"), config, None)
    eight = replace(every, images=every.images[:8], targets=every.targets[:8])
    history = fit(config, eight, tmp_path, progress=False)["history"]
    assert history[0]["train_loss"] > 1.5
    assert history[-1]["train_loss"] < 0.2


@pytest.mark.slow
def test_a_run_leaves_its_files_and_its_best_epoch(tmp_path, tiny_set, tiny):
    best = fit(tiny, tiny_set, tmp_path, progress=False)
    history = read_history(tmp_path)
    assert [int(row["epoch"]) for row in history] == [1, 2, 3]
    assert [int(row["size"]) for row in history] == [24, 24, 32]
    accuracies = [float(row["valid_accuracy"]) for row in history]
    assert best["valid_accuracy"] == max(accuracies)
    assert best["epoch"] == accuracies.index(max(accuracies)) + 1
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "history.csv", "checkpoint.pt"}


@pytest.mark.slow
def test_same_seed_same_run_and_other_seed_another(tmp_path, tiny_set, tiny):
    short = replace(tiny, epochs=1)
    first = fit(short, tiny_set, tmp_path / "a", progress=False)["history"]
    again = fit(short, tiny_set, tmp_path / "b", progress=False)["history"]
    other = fit(replace(short, seed=1), tiny_set, tmp_path / "c", progress=False)["history"]
    assert without_times(first) == without_times(again)
    assert without_times(first) != without_times(other)


@pytest.mark.slow
def test_killed_in_mid_epoch_and_resumed_equals_uninterrupted(tmp_path, tiny_set, tiny):
    uninterrupted = fit(tiny, tiny_set, tmp_path / "uninterrupted", progress=False)
    torch.save(tiny_set, tmp_path / "set.pt")
    script = (
        "import sys, time, torch\n"
        "from pathlib import Path\n"
        "from ferlib.training import loop as training\n"
        "from ferlib.training.config import TrainConfig\n"
        f"config = TrainConfig.from_dict({tiny.to_dict()!r})\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"
        "step = training._Run._step\n"
        "def slow(run, *arguments):\n"  # so that the signal comes while an epoch is under way
        "    time.sleep(0.2)\n"
        "    return step(run, *arguments)\n"
        "training._Run._step = slow\n"
        "data = torch.load(sys.argv[1], weights_only=False)\n"
        "training.fit(config, data, Path(sys.argv[2]), progress=False)\n"
    )
    run = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "set.pt"), str(run)])
    deadline = time.monotonic() + 120
    while not (run / "history.csv").is_file() and time.monotonic() < deadline:
        assert child.poll() is None, "the training ended before it could be killed"
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert 1 <= len(read_history(run)) < tiny.epochs
    resumed = fit(tiny, tiny_set, run, progress=False)
    assert without_times(read_history(run)) == without_times(read_history(tmp_path / "uninterrupted"))
    assert resumed["epoch"] == uninterrupted["epoch"]
    assert all(torch.equal(resumed["state"][name], value) for name, value in uninterrupted["state"].items())


def test_a_folder_of_another_run_is_refused(tmp_path, tiny_set, tiny):
    fit(replace(tiny, epochs=1), tiny_set, tmp_path, progress=False)
    with pytest.raises(FerlibError, match="other settings or data"):
        fit(replace(tiny, epochs=2), tiny_set, tmp_path, progress=False)


def test_a_damaged_checkpoint_is_named(tmp_path, tiny_set, tiny):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(FerlibError, match=r"checkpoint\.pt .* is damaged"):
        fit(tiny, tiny_set, tmp_path, progress=False)


def test_one_cycle_rises_and_ends_at_zero():
    config = TrainConfig(peak_lr=1.0, warmup=0.2)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[20] == pytest.approx(1.0)
    assert rates[-1] < 0.001
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_biases_and_norms_are_not_decayed(tiny):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    for kind in ("sgd", "adamw"):
        decayed, others = make_optimizer(model, replace(tiny, optimizer=kind)).param_groups
        assert [parameter.ndim for parameter in decayed["params"]] == [4]
        assert {parameter.ndim for parameter in others["params"]} == {1}
        assert others["weight_decay"] == 0


def run_of(config, data, folder, teachers=()):
    return loop._Run(config, data, folder, Teachers(teachers, config), folder)


def same_views(first, second):
    return torch.equal(first.geometry, second.geometry) and torch.equal(first.patch, second.patch)


def test_every_epoch_has_its_own_order_and_views(tiny_set, tiny):
    first, again, other = (draw_epoch(tiny, tiny_set.targets, epoch) for epoch in (0, 0, 1))
    assert torch.equal(first.order, again.order)
    assert same_views(first.views, again.views)
    assert not torch.equal(first.order, other.order)
    assert not same_views(first.views, other.views)
    assert len(first.order.unique()) == first.order.numel()


def test_in_the_probability_mode_each_epoch_draws_a_label_from_the_votes(tiny):
    votes = torch.tensor([[0.75, 0.25, 0, 0, 0, 0, 0, 0]]).repeat(400, 1)
    config = replace(tiny, mode="probability")
    first, again, other = (draw_epoch(config, votes, epoch).targets for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert sorted(set(first.sum(dim=0).tolist())) == [0.0, first[:, 1].sum().item(), first[:, 0].sum().item()]
    assert 0.68 < first[:, 0].mean() < 0.82
    assert torch.equal(draw_epoch(tiny, votes, 0).targets, votes)


def test_views_come_back_when_the_settings_say_so_and_orders_never(tiny_set, tiny):
    config = replace(tiny, views=3)
    epochs = [draw_epoch(config, tiny_set.targets, epoch) for epoch in range(6)]
    assert [epoch.view_set for epoch in epochs] == [0, 1, 2, 0, 1, 2]
    assert same_views(epochs[1].views, epochs[4].views)
    assert not same_views(epochs[1].views, epochs[2].views)
    assert not torch.equal(epochs[1].order, epochs[4].order)
    other_seed = draw_epoch(replace(config, seed=9), tiny_set.targets, 1)
    assert same_views(epochs[1].views, other_seed.views)
    assert not any(epoch.mirrored for epoch in epochs)


def test_every_other_round_of_views_is_mirrored_and_needs_no_new_logits(tiny_set, tiny):
    config = replace(tiny, views=2, mirror_views=True)
    epochs = [draw_epoch(config, tiny_set.targets, epoch) for epoch in range(5)]
    assert [epoch.mirrored for epoch in epochs] == [False, False, True, True, False]
    assert same_views(epochs[0].views, epochs[2].views)  # the logits are looked up by them


def test_class_weights_even_out_frequencies():
    targets = torch.eye(8)[[0] * 90 + [1] * 10]
    inverse, root = class_weights(targets, 1.0), class_weights(targets, 0.5)
    assert inverse[1] / inverse[0] == pytest.approx(9, rel=1e-5)
    assert root[1] / root[0] == pytest.approx(3, rel=1e-5)
    assert inverse[2:].eq(0).all()  # never seen, never asked for
    assert (targets @ root).mean() == pytest.approx(1, rel=1e-5)
    assert class_weights(targets, 0.0)[:2].tolist() == [1, 1]


def test_balanced_sampling_shows_the_rare_class_as_often(tiny):
    targets = torch.eye(8)[[0] * 1800 + [1] * 200]
    config = replace(tiny, balance="sampling", balance_power=1.0)
    order = draw_epoch(config, targets, 0).order.flatten()
    assert 0.45 < (order >= 1800).float().mean() < 0.55


def test_a_balanced_loss_is_the_weighted_one(tmp_path, tiny_set, tiny):
    faces, targets, no_teachers = torch.rand(8, 1, 24, 24), torch.eye(8), torch.zeros(8, 0)
    run = run_of(replace(tiny, balance="loss", dropout=0.0), tiny_set, tmp_path)
    weights = class_weights(tiny_set.targets, 0.5)
    run.model.eval()
    loss = run._loss(faces, targets, no_teachers)
    expected = -(run.model(faces).log_softmax(dim=1) * targets * weights).sum(dim=1).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_clipping_reaches_the_step(tmp_path, tiny_set, tiny):
    faces, targets, no_teachers = torch.rand(8, 1, 24, 24), torch.eye(8), torch.zeros(8, 0)
    plain, clipped = (
        run_of(replace(tiny, dropout=0.0, clip_norm=clip_norm), tiny_set, tmp_path) for clip_norm in (0.0, 1e-3)
    )
    losses = [run._step(faces, targets, no_teachers).item() for run in (plain, clipped)]
    assert losses[0] == losses[1]
    size = [sum(p.grad.square().sum() for p in run.model.parameters()).sqrt().item() for run in (plain, clipped)]
    assert size[0] > 0.01
    assert size[1] == pytest.approx(1e-3, rel=1e-3)


def test_a_network_gives_logits_also_for_nothing(tiny_set, tiny):
    model = build_model("custom_cnn", width=0.125)
    logits = predict_logits(model, tiny_set.valid_images[:5], tiny.preprocessing, batch_size=2)
    assert logits.shape == (5, 8)
    assert torch.allclose(logits, predict_logits(model, tiny_set.valid_images[:5], tiny.preprocessing), atol=1e-5)
    assert predict_logits(model, tiny_set.valid_images[:0], tiny.preprocessing).shape == (0, 8)


def test_lower_layers_learn_more_slowly(tiny):
    model = build_model("convnext_atto")
    config = replace(tiny, model="convnext_atto", width=1.0, layer_decay=0.5, optimizer="adamw")
    optimizer = make_optimizer(model, config)
    set_rate(optimizer, 1.0)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    stem, last, head = (rate[id(p)] for p in (
        model.stem[0].weight, model.stages[3].blocks[-1].conv_dw.weight, model.head.fc.weight,
    ))  # fmt: skip
    assert stem < last < head == 1.0


def test_in_the_first_stage_only_the_head_learns(tmp_path, tiny_set, tiny):
    config = replace(tiny, epochs=1, head_epochs=1, ema_decay=0.0)
    torch.manual_seed(config.seed)
    start = build_model(**config.model_arguments()).state_dict()
    end = fit(config, tiny_set, tmp_path, progress=False)["state"]
    learned = {name for name in start if name.endswith("weight") and not torch.equal(start[name], end[name])}
    assert learned == {"head.weight"}


def teacher_of(tiny, seed):
    torch.manual_seed(seed)
    arguments = tiny.model_arguments() | {"dropout": 0.0}
    return Checkpoint(f"t{seed}", build_model(**arguments).eval(), Preprocessing(size=24), 1.0, {})


@pytest.mark.slow
def test_distillation_pulls_the_student_to_its_teachers(tmp_path, tiny_set, tiny):
    teachers = [teacher_of(tiny, 5), teacher_of(tiny, 6)]
    for teacher in teachers:
        teacher.model.head.weight.data *= 20  # opinions worth learning
    config = replace(tiny, epochs=6, teachers=("t5", "t6"), distill_weight=1.0, distill_temperature=1.0, peak_lr=0.1)
    history = fit(config, tiny_set, tmp_path, teachers=teachers, progress=False)["history"]
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]


def test_distillation_loss_is_zero_for_the_teachers_own_logits(drawn, tiny):
    teacher, config = teacher_of(tiny, 5), replace(tiny, distill_temperature=2.0)
    faces = torch.from_numpy(np.asarray(drawn.images[:4]))
    views = draw_views(4, Augmentation(), torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = teacher.model(teacher.preprocessing.normalise(render_views(faces, views, 24)))
    softened = Teachers([teacher], config)(faces, views)
    assert distillation_loss(logits, softened, 2.0).item() == pytest.approx(0, abs=1e-6)
    assert distillation_loss(logits + torch.randn(4, 8), softened, 2.0).item() > 0.01


def test_calibrated_teachers_are_as_sure_as_they_are_right(tmp_path, tiny_set, tiny):
    plain, sure = teacher_of(tiny, 5), teacher_of(tiny, 5)
    sure.model.head.weight.data *= 30
    sure.model.head.bias.data *= 30
    config, softened = replace(tiny, teachers=("t5",), views=1, calibrate_teachers=True), []
    for teacher in (plain, sure):
        run = loop._Run(config, tiny_set, tmp_path, Teachers([teacher], config), tmp_path)
        views = plain_views(len(tiny_set.images))
        softened.append(run.teacher_logits.probabilities(0, views))
    assert torch.allclose(*softened, atol=2e-2)  # kept in half precision
    uncalibrated = Teachers([sure], config)(tiny_set.images, plain_views(len(tiny_set.images)))
    assert not torch.allclose(uncalibrated, softened[1], atol=0.1)


def test_teachers_must_be_those_of_the_settings_and_see_the_same_pixels(tmp_path, tiny_set, tiny):
    with pytest.raises(ValueError, match="ask for the teachers"):
        fit(replace(tiny, teachers=("t5",)), tiny_set, tmp_path, progress=False)
    with pytest.raises(FerlibError, match="equalisation 'none', the student uses 'global'; choose one"):
        Teachers([teacher_of(tiny, 5)], replace(tiny, preprocessing=Preprocessing(equalise="global")))


def test_teachers_see_each_stored_view_once_and_answer_the_same(tmp_path, drawn, tiny, monkeypatch):
    faces = torch.from_numpy(np.asarray(drawn.images[:40]))
    views = draw_views(40, Augmentation(), torch.Generator().manual_seed(1))
    others = draw_views(40, Augmentation(), torch.Generator().manual_seed(2))
    pair = [teacher_of(tiny, 5), teacher_of(tiny, 6)]
    for teacher in pair:
        teacher.model.head.weight.data *= 50  # opinions that differ from face to face
    teachers = Teachers(pair, tiny)
    first = TeacherLogits(teachers, faces, "data", tmp_path).probabilities(0, views)
    assert torch.allclose(first, teachers(faces, views), atol=3e-3)  # kept in half precision
    assert len(list(tmp_path.iterdir())) == 2
    assert not torch.allclose(
        TeacherLogits(teachers, faces, "data", tmp_path).probabilities(0, others), first, atol=1e-2
    )
    erased = replace(views, patch=torch.tensor([[0.2, 0.2, 0.5, 0.5]]).repeat(40, 1))
    assert not torch.allclose(
        TeacherLogits(teachers, faces, "data", tmp_path).probabilities(0, erased), first, atol=1e-2
    )
    other_images = TeacherLogits(teachers, 255 - faces, "data", tmp_path).probabilities(0, views)
    assert not torch.allclose(other_images, first, atol=1e-2)
    asked = []
    monkeypatch.setattr(Teachers, "logits", lambda *arguments: asked.append(arguments))
    assert torch.equal(TeacherLogits(teachers, faces, "data", tmp_path).probabilities(0, views), first)
    assert asked == []


@pytest.mark.slow
def test_stored_and_new_logits_train_alike(tmp_path, tiny_set, tiny, monkeypatch):
    config = replace(tiny, epochs=1, teachers=("t5",), views=2)
    stored = fit(config, tiny_set, tmp_path / "stored", teachers=[teacher_of(tiny, 5)], progress=False)
    monkeypatch.setattr(loop, "draw_epoch", lambda *arguments: replace(draw_epoch(*arguments), view_set=-1))
    asked = fit(config, tiny_set, tmp_path / "asked", teachers=[teacher_of(tiny, 5)], progress=False)
    assert asked["history"][0]["train_loss"] == pytest.approx(stored["history"][0]["train_loss"], rel=1e-3)


@pytest.mark.slow
def test_pretrained_weights_are_where_training_starts(tmp_path, tiny_set, tiny):
    pre = Preprocessing(size=32, channels=3, mean=LITE_MEAN, std=LITE_STD)
    config = replace(
        tiny, model="tf_efficientnet_lite2", width=1.0, pretrained=True, preprocessing=pre, epochs=1, peak_lr=0.0,
        warmup=0.0, ema_decay=0.0, sizes=((0, 32),),
    )  # fmt: skip
    few = replace(tiny_set, images=tiny_set.images[:32], targets=tiny_set.targets[:32])
    state = fit(config, few, tmp_path, progress=False)["state"]
    expected = build_model("tf_efficientnet_lite2", channels=3)
    load_pretrained(expected, "tf_efficientnet_lite2", "", torch.zeros(1, 3, 32, 32))
    assert torch.equal(state["conv_stem.weight"], expected.conv_stem.weight)


def test_a_checkpoint_is_where_training_starts(tmp_path, tiny_set, tiny):
    config = replace(tiny, start="t5", epochs=1, peak_lr=0.0, warmup=0.0, ema_decay=0.0)
    start = teacher_of(tiny, 5)
    state = fit(config, tiny_set, tmp_path / "run", start=start, progress=False)["state"]
    assert torch.equal(state["head.weight"], start.model.head.weight)
    with pytest.raises(ValueError, match="a start from 't5'"):
        fit(config, tiny_set, tmp_path / "other", progress=False)


def test_a_start_of_another_network_is_refused(tmp_path, tiny_set, tiny):
    config = replace(tiny, start="t5", width=0.25)
    with pytest.raises(FerlibError, match="weights of 't5' are of another network than 'custom_cnn'"):
        fit(config, tiny_set, tmp_path, start=teacher_of(tiny, 5), progress=False)


def test_two_beginnings_are_refused(tiny):
    with pytest.raises(FerlibError, match="pretrained and start are two different beginnings"):
        replace(tiny, start="t5", pretrained=True)
