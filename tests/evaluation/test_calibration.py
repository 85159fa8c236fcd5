import numpy as np
import pytest
import torch
from fakes import logits_case
from scipy.stats import binomtest
from torchmetrics.functional.classification import multiclass_calibration_error
from torchmetrics.functional.classification.calibration_error import _ce_compute

from ferlib.errors import FerlibError
from ferlib.evaluation import calibration as cal


@pytest.mark.parametrize("bins", [10, 15])
def test_the_error_agrees_with_torchmetrics(bins):
    probabilities, labels = logits_case(500)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    ours = cal.calibration_error(confidence, right, bins)
    theirs = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), 8, n_bins=bins, norm="l1"
    )
    assert ours == pytest.approx(theirs.item(), abs=1e-6)  # it computes in single precision
    # Its own arithmetic in double precision:
    arrays = (
        torch.from_numpy(confidence),
        torch.from_numpy(right.astype(float)),
        torch.linspace(0, 1, bins + 1).double(),
    )
    assert ours == pytest.approx(_ce_compute(*arrays, norm="l1").item(), abs=1e-9)


def test_the_error_by_hand_and_at_its_limits():
    assert cal.calibration_error(np.array([0.9, 0.9, 0.5, 0.5]), np.array([1, 1, 0, 1]), 10) == pytest.approx(0.05)
    assert cal.calibration_error(np.ones(5), np.ones(5)) == 0
    assert cal.calibration_error(np.ones(5), np.zeros(5)) == 1


def test_bins_are_open_below_and_closed_above():
    bins = cal.reliability(np.array([0.0, 0.1, 0.100001, 1.0]), np.array([0, 1, 1, 1]), 10)
    assert [(part.low, part.n) for part in bins] == [(0.0, 2), (pytest.approx(0.1), 1), (pytest.approx(0.9), 1)]


def test_the_bound_of_an_error_rate_by_hand():
    # No error in n: the bound solves (1 - p)^n = 5 %; about 3 / n. One error in two: (1 - p)^2 + 2p(1 - p) = 5 %.
    assert cal.error_bound(np.array([0, 0, 1]), np.array([1, 100, 2])) == pytest.approx(
        [0.95, 1 - 0.05**0.01, 0.95**0.5]
    )
    assert cal.error_bound(np.array([3]), np.array([3])).tolist() == [1.0]
    assert cal.error_bound(np.array([10]), np.array([100])) == pytest.approx([0.16372], abs=1e-5)  # a printed table


def test_the_bound_agrees_with_scipys_interval():
    for wrong, answered in ((0, 7), (3, 40), (258, 2851), (12, 12)):
        interval = binomtest(wrong, answered, alternative="less").proportion_ci(0.9, method="exact")
        ours = cal.error_bound(np.array([wrong]), np.array([answered]), 0.9)
        assert ours == pytest.approx([interval.high])


def test_the_threshold_answers_as_many_as_the_bound_allows():
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, False, True, True, False])
    # Upper bounds at a level of one half: 0.50, 0.71, 0.50, 0.39, 0.50.
    assert cal.choose_threshold(confidence, right, 0.4, 0.5) == 0.6  # 1 of 4 wrong; passes over the 1 of 2 before
    assert cal.choose_threshold(confidence, right, 0.51, 0.5) == 0.5
    assert cal.choose_threshold(confidence, right, 0.96) == 0.5
    with pytest.raises(FerlibError, match="no confidence gives at most 40% wrong answers with a certainty of 95%"):
        cal.choose_threshold(confidence, right, 0.4)  # five images cannot tell


def test_images_of_equal_confidence_are_answered_together():
    confidence, right = np.array([0.9] * 40 + [0.5] * 2), np.array([True] * 41 + [False])
    assert cal.choose_threshold(confidence, right, 0.08) == 0.9
    assert cal.choose_threshold(confidence, right, 0.15) == 0.5


def test_the_promise_is_kept_on_new_images():
    """The true error above a threshold is at most the risk in nearly all draws of the images that chose it.

    A bound with a level of one half, which is nearly the share of wrong answers itself, keeps it in about half of them.
    """
    generator, kept, naive = np.random.default_rng(0), 0, 0
    confidence = np.sort(generator.random((200, 1000)), axis=1)[:, ::-1]
    right = generator.random((200, 1000)) < confidence  # calibrated: the error above t is (1 - t) / 2
    for row, correct in zip(confidence, right, strict=True):
        kept += (1 - cal.choose_threshold(row, correct, 0.3)) / 2 <= 0.3
        naive += (1 - cal.choose_threshold(row, correct, 0.3, 0.5)) / 2 <= 0.3
    assert kept >= 185
    assert naive <= 130


def test_the_answers_above_a_threshold_are_those_of_the_report():
    probabilities, labels = logits_case(1000)
    labels[:100] = -1
    confidence, right = cal.confidence_and_right(probabilities, labels, 0.7)
    threshold = cal.choose_threshold(confidence, right, 0.3)
    answers = cal.abstention(probabilities, labels, 0.7, threshold)["at_threshold"]
    assert answers == {"threshold": threshold, **cal.selective(confidence, right, confidence >= threshold)}
    assert answers["least"] == threshold  # the image that sets the threshold is answered
    assert answers["n"] == 900
    wrong = answers["answered"] - round(answers["accuracy"] * answers["answered"])
    assert cal.error_bound(np.array([wrong]), np.array([answers["answered"]]))[0] <= 0.3


@pytest.mark.parametrize(
    ("risk", "sentence"), [(0.0, "between 0 and 1"), (1.5, "between 0 and 1"), (0.2, "no confide")]
)
def test_an_impossible_risk_is_explained(risk, sentence):
    with pytest.raises(FerlibError, match=sentence):
        cal.choose_threshold(np.array([0.9, 0.8]), np.array([False, False]), risk)


def test_the_most_confident_share():
    assert cal.most_confident(np.array([0.1, 0.9, 0.5, 0.7, 0.3]), 0.8).tolist() == [False, True, True, True, True]


def test_the_abstention_report_keeps_accuracy_and_counts():
    probabilities, labels = logits_case(1000)
    labels[:100] = -1
    report = cal.abstention(probabilities, labels, 1.0, 0.5)
    at = report["at_threshold"]
    confidence = probabilities[100:].max(axis=1)
    assert (at["n"], at["answered"]) == (900, int((confidence >= 0.5).sum()))
    assert at["accuracy"] > report["most_confident_80"]["accuracy"] > 0.3
    assert report["most_confident_80"]["coverage"] == pytest.approx(0.8)
    assert report["curve"]["coverage"][-1] == 1
    wrong = 1 - (probabilities[100:].argmax(axis=1) == labels[100:]).mean()
    assert report["curve"]["risk"][-1] == pytest.approx(wrong, abs=1e-5)


def test_nobody_answered_has_no_accuracy():
    report = cal.abstention(np.full((4, 8), 1 / 8), np.arange(4), 1.0, 0.9)
    assert report["at_threshold"] == {"threshold": 0.9, "n": 4, "answered": 0, "coverage": 0.0}


def test_calibration_on_votes_compares_with_the_share_that_the_named_emotion_got():
    probabilities = np.eye(8)[[0, 1, 2]] * 0.65 + 0.05
    shares = np.array([np.eye(8)[0] * 0.7 + np.eye(8)[3] * 0.3, np.eye(8)[1], np.zeros(8)])
    report = cal.calibration_report(probabilities, np.array([0, -1, -1]), shares, 1.0)
    assert (report["majority"]["n"], report["majority"]["mean_accuracy"]) == (1, 1.0)
    assert (report["votes"]["n"], report["votes"]["mean_accuracy"]) == (2, pytest.approx(0.85))
    empty = cal.calibration_report(probabilities, np.full(3, -1), np.zeros((3, 8)), 1.0)
    assert (empty["votes"]["ece"], empty["majority"]["bins"]) == (None, [])
