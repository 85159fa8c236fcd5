import numpy as np
import pytest

from ferlib.data.labels import INDEX, MEANT_EMOTIONS, MEANT_INDEX
from ferlib.evaluation.reading import (
    ShareScores,
    TwoAnswers,
    choose_reading,
    choose_share,
    right_of_reading,
    share_scores,
)


def answers_of(rows):
    """One image a row: (seen emotion, its probability, meant emotion, its probability, label seen, label meant)."""
    seen, meant = np.zeros((len(rows), 8)), np.zeros((len(rows), 7))
    labels = np.full((2, len(rows)), -1)
    for index, (see, p, mean, q, see_label, mean_label) in enumerate(rows):
        seen[index], meant[index] = (1 - p) / 7, (1 - q) / 6
        seen[index, INDEX[see]], meant[index, MEANT_INDEX[mean]] = p, q
        labels[0, index] = INDEX.get(see_label, -1)
        labels[1, index] = MEANT_INDEX.get(mean_label, -1)
    return TwoAnswers(seen, meant, *labels)


def test_each_share_is_scored_under_both_label_sets():
    answers = answers_of([("neutral", 0.9, "sad", 0.9, "neutral", "sad"), ("happy", 0.9, "happy", 0.9, "happy", None)])
    first, middle, last = share_scores(answers, (0.0, 0.4, 1.0))
    assert (first.seen, first.meant, first.mean) == (1, 0, 0.5)
    assert (middle.seen, middle.meant) == (1, 0)
    assert (last.seen, last.meant, last.mean) == (0.5, 1, 0.75)
    with pytest.raises(ValueError, match="no labelled image"):
        share_scores(answers_of([("sad", 0.9, "sad", 0.9, "sad", None)]))


def test_the_smallest_of_the_best_shares_is_chosen():
    scores = [ShareScores(0.0, 0.9, 0.5), ShareScores(0.3, 0.8, 0.8), ShareScores(0.5, 0.7, 0.9), ShareScores(1, 0, 1)]
    assert choose_share(scores) == 0.3


def test_an_answer_of_both_is_wrong_only_where_it_is_neither():
    answers = answers_of([
        ("neutral", 0.9, "sad", 0.6, "neutral", "sad"),  # says neutral, which is seen
        ("neutral", 0.5, "sad", 0.9, "neutral", "sad"),  # says sad, which was meant
        ("fear", 0.9, "fear", 0.9, "surprise", "happy"),  # neither
        ("fear", 0.9, "fear", 0.9, "fear", None),  # lacks a label
    ])  # fmt: skip
    confidence, right = right_of_reading(answers, "both", 0.5)
    assert right.tolist() == [True, True, False]
    assert confidence[2] == pytest.approx(0.9, abs=0.02)
    assert right_of_reading(answers, "seen", 0.5)[1].tolist() == [True, True, False, True]
    assert right_of_reading(answers, "meant", 0.5)[1].tolist() == [True, True, False]


def test_the_choices_are_those_of_the_sidecar():
    random = np.random.default_rng(0)
    count = 3000
    truth = random.integers(0, 7, count)
    seen, meant = random.dirichlet(np.full(8, 0.3), count), random.dirichlet(np.full(7, 0.3), count)
    places = np.array([INDEX[name] for name in MEANT_EMOTIONS])
    sure = random.random(count) < 0.8
    seen[sure, places[truth[sure]]] += 5
    meant[sure, truth[sure]] += 2
    raw = TwoAnswers(
        seen / seen.sum(axis=1, keepdims=True), meant / meant.sum(axis=1, keepdims=True), places[truth], truth
    )
    chosen = choose_reading(raw, 1.0, 0.1)
    assert set(chosen) == {"meant_temperature", "meant_share", "thresholds", "shares"}
    assert chosen["meant_share"] in [each["share"] for each in chosen["shares"]]
    tuned = raw.at_temperatures(1.0, chosen["meant_temperature"])
    assert set(chosen["thresholds"]) == {"meant", "both"}
    for reading, threshold in chosen["thresholds"].items():
        confidence, right = right_of_reading(tuned, reading, chosen["meant_share"])
        assert 0 < threshold < 1
        assert (~right[confidence >= threshold]).mean() <= 0.1
