"""Training of one network that answers what people see and what was meant."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing
from ferlib.models.questions import BOTH_QUESTIONS
from ferlib.training.augmentation import draw_views
from ferlib.training.batches import adjustment_offsets, prepare
from ferlib.training.config import Augmentation, TrainConfig
from ferlib.training.distillation import Teachers, distillation_loss
from ferlib.training.loop import fit
from ferlib.training.loss import soft_cross_entropy, training_loss
from ferlib.training.validation import valid_scores


@pytest.fixture
def both(tiny):
    return replace(tiny, questions=BOTH_QUESTIONS)


@pytest.fixture
def labelled(drawn):
    """Drawn faces of train and valid, each of which was meant as it looks; every fifth has no label of that kind."""
    rows = drawn.where(drawn.split != "test")
    order = {name: index for index, name in enumerate(MEANT_EMOTIONS)}
    meant = np.array([order.get(EMOTIONS[index], -1) for index in rows.votes[:, :8].argmax(axis=1)], np.int8)
    meant[::5] = -1
    return replace(rows, meant=meant)


@pytest.fixture
def both_set(labelled, drawn_manifest, both):
    return prepare(labelled, both, drawn_manifest)


def test_an_image_with_either_label_teaches(labelled, drawn_manifest, both, tiny):
    unseen = labelled.votes.copy()
    unseen[3] = 0  # nobody saw an emotion there
    unseen[3, 8] = 10
    only_meant = replace(labelled, votes=unseen)
    data, plain = (
        prepare(only_meant, config, None) for config in (replace(both, clean=False), replace(tiny, clean=False))
    )
    assert len(data.images) > len(plain.images)
    assert data.targets.shape[1] == 15
    assert set(data.targets[:, :8].sum(dim=1).round().tolist()) == {0.0, 1.0}
    assert set(data.targets[:, 8:].sum(dim=1).tolist()) == {0.0, 1.0}
    assert not (data.targets.sum(dim=1) == 0).any()
    assert (plain.valid_meant == -1).all()
    assert (data.valid_meant >= 0).any()


@pytest.mark.slow
def test_both_heads_learn_and_the_history_tells(tmp_path, both_set, both):
    best = fit(replace(both, epochs=8, ema_decay=0.0), both_set, tmp_path, progress=False)
    first, last = best["history"][0], best["history"][-1]
    assert last["train_loss"] < first["train_loss"]
    assert max(row["valid_meant_accuracy"] for row in best["history"]) > 2 / 7
    with open(tmp_path / "history.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert float(rows[-1]["valid_meant_accuracy"]) == last["valid_meant_accuracy"]
    means = [(row["valid_accuracy"] + row["valid_meant_accuracy"]) / 2 for row in best["history"]]
    assert best["epoch"] == 1 + means.index(max(means))


@pytest.mark.slow
def test_a_resumed_run_of_both_questions_ends_alike(tmp_path, both_set, both):
    whole = fit(both, both_set, tmp_path / "whole", progress=False)
    (tmp_path / "parts").mkdir()
    fit(replace(both, epochs=3), both_set, tmp_path / "parts", progress=False)
    again = fit(both, both_set, tmp_path / "parts", progress=False)
    for name, value in whole["state"].items():
        assert torch.equal(value, again["state"][name])


def test_scores_of_valid_count_each_label_by_itself(both_set, both):
    model = build_model(**both.model_arguments()).eval()
    model.head.weight.data.zero_()
    model.head.bias.data.copy_(F.one_hot(torch.tensor(EMOTIONS.index("happy")), 15) * 9.0)
    model.head.bias.data[8 + MEANT_EMOTIONS.index("sad")] = 9.0
    scores = valid_scores(model, both_set, both.preprocessing)
    labels, meant = both_set.valid_labels, both_set.valid_meant
    assert scores.accuracy == pytest.approx((labels[labels >= 0] == EMOTIONS.index("happy")).double().mean().item())
    assert scores.meant_accuracy == pytest.approx(
        (meant[meant >= 0] == MEANT_EMOTIONS.index("sad")).double().mean().item()
    )
    assert scores.criterion == pytest.approx((scores.accuracy + scores.meant_accuracy) / 2)


def test_without_labels_of_fer2013_the_second_question_is_refused(drawn, drawn_manifest, both):
    unlabelled = replace(drawn.where(drawn.split != "test"), meant=np.full((drawn.split != "test").sum(), -1, np.int8))
    with pytest.raises(FerlibError, match=r"no labels of FER2013.*add Kaggle's fer2013.csv"):
        prepare(unlabelled, both, drawn_manifest)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"questions": ("meant",)}, "questions must be"),
        ({"questions": BOTH_QUESTIONS, "balance": "loss"}, "for the question 'seen' alone"),
        ({"questions": BOTH_QUESTIONS, "mode": "probability"}, "for the question 'seen' alone"),
        ({"meant_weight": -1.0}, "not negative"),
        ({"seen_adjustment": -0.1}, "not negative"),
        ({"frozen_norms": True}, "custom_cnn has no frozen norms"),
    ],
)
def test_impossible_settings_are_refused(changes, sentence):
    with pytest.raises(FerlibError, match=sentence):
        TrainConfig(**changes)


def test_settings_of_one_question_build_the_network_of_earlier_versions(tiny, both):
    assert "questions" not in tiny.model_arguments()
    assert both.model_arguments()["questions"] == ["seen", "meant"]
    assert TrainConfig.from_dict(both.to_dict()) == both


def test_soft_cross_entropy_is_the_mean_over_the_images_that_count():
    logits, targets = torch.randn(6, 8), torch.eye(8)[:6]
    targets[2:] = 0
    assert soft_cross_entropy(logits, targets) == pytest.approx(
        F.cross_entropy(logits[:2], torch.tensor([0, 1])).item()
    )
    assert soft_cross_entropy(logits, torch.zeros(6, 8)).item() == 0


def test_offsets_are_tau_times_the_log_of_the_frequency(both):
    targets = torch.zeros(4, 15)
    targets[:, 0], targets[0, 8], targets[1:, 9] = 1, 1, 1
    offsets = adjustment_offsets(replace(both, seen_adjustment=0.3, meant_adjustment=0.5), targets)
    assert offsets[8:10].tolist() == pytest.approx([0.5 * np.log(0.25), 0.5 * np.log(0.75)])
    assert offsets[:8].tolist() == [0] * 8  # the only class has all of the frequency, and the others none
    assert not adjustment_offsets(both, targets).any()


def test_the_adjusted_loss_is_least_for_logits_without_the_frequencies(both):
    """With the offsets, a network whose softmax is the truth over the frequencies has the right loss (Menon et al.)."""
    config = replace(both, seen_adjustment=1.0)
    offsets = torch.zeros(15)
    offsets[:8] = torch.tensor([0.7] + [0.3 / 7] * 7).log()
    targets = torch.zeros(1, 15)
    targets[0, :8] = torch.tensor([0.7] + [0.3 / 7] * 7)
    flat, biased = torch.zeros(1, 15), torch.zeros(1, 15)
    biased[0, :8] = offsets[:8]
    losses = [training_loss(config, logits, targets, torch.zeros(1, 0), offsets) for logits in (flat, biased)]
    assert losses[0] < losses[1]


def test_the_loss_is_the_weighted_sum_over_the_questions(both):
    logits, targets = torch.randn(5, 15), torch.zeros(5, 15)
    targets[:, 2], targets[:4, 9] = 1, 1
    parts = [soft_cross_entropy(logits[:, :8], targets[:, :8]), soft_cross_entropy(logits[:4, 8:], targets[:4, 8:])]
    no_teachers, no_offsets = torch.zeros(5, 0), torch.zeros(15)
    loss = training_loss(replace(both, meant_weight=0.25), logits, targets, no_teachers, no_offsets)
    assert loss.item() == pytest.approx((parts[0] + 0.25 * parts[1]).item())


def teacher(config, seed, **sidecar):
    torch.manual_seed(seed)
    model = build_model(**config.model_arguments() | {"dropout": 0.0}).eval()
    model.head.weight.data *= 50  # opinions that differ from face to face
    return Checkpoint(f"t{seed}", model, Preprocessing(size=24), 1.0, sidecar)


def test_a_teacher_of_one_question_teaches_that_one_alone(drawn, tiny, both):
    faces = torch.from_numpy(np.asarray(drawn.images[:4]))
    views = draw_views(4, Augmentation(), torch.Generator().manual_seed(1))
    alone = Teachers([teacher(tiny, 5)], both)(faces, views)
    assert alone.shape == (4, 15)
    assert alone[:, :8].sum(dim=1).tolist() == pytest.approx([1] * 4)
    assert not alone[:, 8:].any()
    pair = Teachers([teacher(tiny, 5), teacher(both, 6)], both)(faces, views)
    second = Teachers([teacher(both, 6)], both)(faces, views)
    assert torch.allclose(pair[:, 8:], second[:, 8:])
    assert not torch.allclose(pair[:, :8], second[:, :8])
    logits, targets = torch.randn(4, 15), torch.zeros(4, 15)
    targets[:, 3], targets[:, 12] = 1, 1
    config = replace(both, distill_weight=1.0)
    expected = distillation_loss(logits[:, :8], alone[:, :8], 2.0) + soft_cross_entropy(logits[:, 8:], targets[:, 8:])
    assert training_loss(config, logits, targets, alone, torch.zeros(15)).item() == pytest.approx(expected.item())


def test_a_teachers_offsets_bring_back_the_frequencies(drawn, both):
    faces = torch.from_numpy(np.asarray(drawn.images[:4]))
    views = draw_views(4, Augmentation(), torch.Generator().manual_seed(1))
    offsets = [-9.0] * 7 + [0.0] + [0.0] * 7
    plain, shifted = teacher(both, 5), teacher(both, 5, logit_offsets=offsets)
    logits = [Teachers([each], both).logits(0, faces, views) for each in (plain, shifted)]
    assert torch.allclose(logits[0] + torch.tensor(offsets), logits[1])


def test_a_network_of_one_question_starts_one_of_both(tmp_path, both_set, both, tiny):
    start = teacher(tiny, 5)
    config = replace(both, start="t5", epochs=1, peak_lr=0.0, ema_decay=0.0)
    state = fit(config, both_set, tmp_path, start=start, progress=False)["state"]
    weight = start.model.head.weight
    assert torch.equal(state["head.weight"][:8], weight)
    assert torch.equal(state["head.weight"][8:], weight[[EMOTIONS.index(name) for name in MEANT_EMOTIONS]])
    with pytest.raises(FerlibError, match="of another network"):
        fit(
            replace(tiny, start="t6", epochs=1),
            both_set,
            tmp_path / "other",
            start=replace(teacher(both, 6)),
            progress=False,
        )
