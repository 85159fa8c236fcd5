import numpy as np
import pytest

from ferlib.bench.streams import flicker, measure_smoothing, smooth_sequence
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live.smoothing import LabelSmoother
from ferlib.samples.streams import expressions

HAPPY, SAD = np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index("happy"), EMOTIONS.index("sad")]]
RATES = (8, 15, 30)


def test_the_first_frame_counts_as_it_is():
    mean, label = LabelSmoother().update(HAPPY, 5.0)
    np.testing.assert_array_equal(mean, HAPPY)
    assert EMOTIONS[label] == "happy"
    assert mean.dtype == np.float32


def test_a_time_constant_of_zero_takes_each_frame_as_it_is():
    means, labels = smooth_sequence(np.stack([HAPPY, SAD, HAPPY]), [0, 0.1, 0.2], time_constant=0, margin=0)
    np.testing.assert_array_equal(means, np.stack([HAPPY, SAD, HAPPY]))
    assert [EMOTIONS[label] for label in labels] == ["happy", "sad", "happy"]


def test_means_are_the_documented_weighted_means_and_stay_probabilities():
    times, probabilities, _ = expressions(2, 10)
    means, _ = smooth_sequence(probabilities, times, time_constant=0.4)
    weights = np.exp(-(times[-1] - times) / 0.4)
    np.testing.assert_allclose(means[-1], weights @ probabilities / weights.sum(), rtol=1e-5)
    np.testing.assert_allclose(means.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("rate", [10, 30, 100])
def test_after_one_time_constant_a_step_has_come_63_percent_of_its_way_at_any_frame_rate(rate):
    times = np.arange(round(5 * rate) + 1) / rate
    means, _ = smooth_sequence(np.where(times[:, None] <= 4.5, HAPPY, SAD), times, time_constant=0.5)
    assert means[-1] @ SAD == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_the_label_changes_only_with_a_lead():
    even = 0.48 * HAPPY + 0.52 * SAD
    assert smooth_sequence(np.stack([HAPPY, even]), [0, 100], margin=0.08)[1].tolist() == [EMOTIONS.index("happy")] * 2
    clear = 0.4 * HAPPY + 0.6 * SAD
    assert smooth_sequence(np.stack([HAPPY, clear]), [0, 100], margin=0.08)[1][1] == EMOTIONS.index("sad")


def test_a_time_that_goes_back_is_the_same_moment():
    means, _ = smooth_sequence(np.stack([HAPPY, SAD]), [10, 3])
    np.testing.assert_allclose(means[1], (HAPPY + SAD) / 2)


@pytest.mark.parametrize("options", [{"time_constant": -1}, {"margin": -0.1}, {"time_constant": float("nan")}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(FerlibError, match="must be 0 or more"):
        LabelSmoother(**options)


def test_flicker_counts_changes_a_second():
    assert flicker([0, 1, 0, 0, 2], [0, 0.5, 1, 1.5, 2]) == 1.5
    assert flicker([0, 1, 0, 0, 2], [0, 0.5, 1, 1.5, 2], truth=[0, 0, 0, 0, 2]) == 1.0
    assert flicker([3], [0]) == flicker([], []) == 0
    with pytest.raises(FerlibError, match="one time"):
        flicker([0, 1], [0])


def test_a_perfect_sequence_has_no_flicker_and_no_gain():
    times = np.arange(40) / 10
    truth = np.where(times < 2, 0, 1)
    report = measure_smoothing(np.eye(8)[truth], times, truth)
    assert (report.flicker_before, report.flicker_after, report.reduction, report.missed) == (0, 0, 0, 0)
    assert 0 < report.delay < 0.4


def test_a_change_that_is_never_followed_is_missed():
    times = np.arange(40) / 10
    report = measure_smoothing(np.tile(HAPPY, (40, 1)), times, np.where(times < 2, 4, 6))
    assert (report.delay, report.missed) == (None, 1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(3))
def test_the_defaults_cut_flicker_by_80_percent_for_less_than_400_ms(rate, seed):
    times, probabilities, truth = expressions(120, rate, seed=seed)
    report = measure_smoothing(probabilities, times, truth)
    assert report.flicker_before > 1
    assert report.reduction >= 0.8
    assert report.delay < 0.4
    assert report.missed == 0


def test_the_made_up_classifier_is_shaky_but_right_most_of_the_time():
    times, probabilities, truth = expressions(60, 15)
    assert probabilities.shape == (len(times), 8)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert 0.6 < (probabilities.argmax(axis=1) == truth).mean() < 0.9
    assert np.diff(np.flatnonzero(np.diff(truth))).min() == 45  # every three seconds
