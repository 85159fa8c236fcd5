import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferlib.data.labels import EMOTIONS, INDEX, MEANT_EMOTIONS
from ferlib.evaluation import doubt

UNIFORM, CERTAIN = np.full((1, 8), 1 / 8), np.eye(8)[:1]


@st.composite
def answers(draw):
    """(doubt, correct): whole numbers, so that a monotone function keeps what is equal and what is not."""
    count = draw(st.integers(1, 40))
    values = draw(st.lists(st.integers(-9, 9), min_size=count, max_size=count))
    return np.array(values, float), np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))


def rows(count, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), count)


def test_the_measures_by_hand():
    probabilities = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0, 0]])
    assert doubt.largest_probability_doubt(probabilities) == pytest.approx([0.5])
    assert doubt.margin_doubt(probabilities) == pytest.approx([0.75])
    assert doubt.entropy_doubt(probabilities) == pytest.approx([1.5 * np.log(2)])
    assert doubt.energy_doubt(np.zeros((1, 8))) == pytest.approx([-np.log(8)])
    assert doubt.energy_doubt(np.full((1, 8), 3.0)) == pytest.approx([-3 - np.log(8)])
    assert doubt.energy_doubt(np.full((1, 8), 3.0), 2.0) == pytest.approx([-3 - 2 * np.log(8)])
    assert doubt.energy_doubt(np.eye(8)[:1] * 1e4) == pytest.approx([-1e4])


def test_no_doubt_and_full_doubt():
    for measure, full in (
        (doubt.largest_probability_doubt, 7 / 8), (doubt.margin_doubt, 1), (doubt.entropy_doubt, np.log(8)),
    ):  # fmt: skip
        assert measure(CERTAIN) == pytest.approx([0])
        assert measure(UNIFORM) == pytest.approx([full])


def test_the_heads_disagree_by_hand():
    happy, sad = (np.eye(7)[[MEANT_EMOTIONS.index(name)]] for name in ("happy", "sad"))
    seen = 0.6 * np.eye(8)[[INDEX["happy"]]] + 0.4 * np.eye(8)[[INDEX["contempt"]]]
    assert doubt.disagreement_doubt(seen, happy) == pytest.approx([0])
    assert doubt.disagreement_doubt(seen, sad) == pytest.approx([np.log(2)])
    half = 1.5 * np.log(2) - 0.75 * np.log(3)  # of (1, 0) and (1/2, 1/2)
    assert doubt.disagreement_doubt(seen, (happy + sad) / 2) == pytest.approx([half])
    contempt = np.eye(8)[[INDEX["contempt"]]]
    assert doubt.disagreement_doubt(contempt, happy) == pytest.approx([np.log(2)])


def test_the_heads_disagree_as_scipy_says():
    from scipy.spatial.distance import jensenshannon

    seen, meant = rows(50, 8), rows(50, 7, seed=1)
    without_contempt = np.delete(seen, INDEX["contempt"], axis=1)
    expected = jensenshannon(without_contempt, meant, axis=1) ** 2  # scales the rows itself
    assert doubt.disagreement_doubt(seen, meant) == pytest.approx(expected, abs=1e-12)


def test_all_measures_that_the_arguments_allow():
    probabilities, meant = rows(5, 8), rows(5, 7)
    assert list(doubt.doubts(probabilities)) == ["largest probability", "margin", "entropy"]
    measures = doubt.doubts(probabilities, meant, np.log(probabilities))
    assert list(measures)[3:] == ["energy", "disagreement"]
    assert {values.shape for values in measures.values()} == {(5,)}
    assert measures["energy"] == pytest.approx(np.zeros(5), abs=1e-12)  # log-probabilities have none


@pytest.mark.parametrize(
    "call",
    [
        lambda: doubt.entropy_doubt(np.ones((2, 7))),
        lambda: doubt.margin_doubt(np.ones(8)),
        lambda: doubt.energy_doubt(np.zeros((1, 8)), 0.0),
        lambda: doubt.disagreement_doubt(rows(2, 8), rows(2, 8)),
        lambda: doubt.disagreement_doubt(rows(2, 8), rows(1, 7)),
        lambda: doubt.risk_coverage(np.array([]), np.array([], bool)),
        lambda: doubt.risk_coverage(np.array([0.1, np.nan]), np.array([True, False])),
        lambda: doubt.risk_coverage(np.array([0.1]), np.array([True, False])),
    ],
)
def test_other_shapes_and_values_are_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()


def test_risk_and_coverage_by_hand_with_ties_answered_together():
    coverage, risk, threshold = doubt.risk_coverage(np.array([0.4, 0.2, 0.2, 0.1]), np.array([0, 1, 0, 1], bool))
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == [0.0, pytest.approx(1 / 3), 0.5]
    assert threshold.tolist() == [0.1, 0.2, 0.4]


def test_the_area_by_hand():
    correct = np.array([True, True, False, False])
    assert doubt.aurc(np.arange(4.0), correct) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert doubt.aurc(-np.arange(4.0), correct) == pytest.approx((1 + 1 + 2 / 3 + 2 / 4) / 4)
    assert doubt.aurc(np.zeros(4), correct) == pytest.approx(0.5)  # a doubt that tells nothing: the error rate


def test_the_coverage_at_a_risk_by_hand():
    correct = np.array([True, False, True, True, False])
    assert doubt.coverage_at_risk(np.arange(5.0), correct, 0.3) == pytest.approx(0.8)  # passes over 1 of 2 before
    assert doubt.coverage_at_risk(np.arange(5.0), correct) == pytest.approx(0.2)
    assert doubt.coverage_at_risk(np.arange(5.0), ~correct) == 0


@given(answers(), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(case, random):
    values, correct = case
    order = random.sample(range(len(values)), len(values))
    assert doubt.aurc(values[order], correct[order]) == pytest.approx(doubt.aurc(values, correct), abs=1e-12)
    shuffled, plain = (doubt.risk_coverage(*arrays) for arrays in ((values[order], correct[order]), (values, correct)))
    assert all(np.array_equal(first, second) for first, second in zip(shuffled, plain, strict=True))


@given(answers(), st.sampled_from([np.exp, np.arctan, lambda x: 3 * x - 2, lambda x: x**3, lambda x: -np.exp(-x)]))
def test_a_monotone_function_of_the_doubt_changes_nothing(case, function):
    values, correct = case
    assert doubt.aurc(function(values), correct) == doubt.aurc(values, correct)
    assert doubt.coverage_at_risk(function(values), correct) == doubt.coverage_at_risk(values, correct)


@given(answers())
def test_the_area_lies_between_the_best_and_the_worst_order(case):
    values, correct = case
    ranks = np.argsort(np.argsort(correct, kind="stable"))  # wrong answers first
    best, worst = (doubt.aurc(sign * ranks, correct) for sign in (-1, 1))
    assert best - 1e-12 <= doubt.aurc(values, correct) <= worst + 1e-12


@given(st.permutations(range(8)), st.integers(0, 1000))
def test_the_order_of_the_classes_does_not_matter(order, seed):
    probabilities = rows(4, len(EMOTIONS), seed)
    plain = doubt.doubts(probabilities, logits=np.log(probabilities + 0.01))
    permuted = doubt.doubts(probabilities[:, order], logits=np.log(probabilities + 0.01)[:, order])
    assert all(permuted[name] == pytest.approx(plain[name], abs=1e-12) for name in plain)
