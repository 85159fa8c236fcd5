import numpy as np
import pytest

from ferlib.evaluation.leakage import leak_scores


def case(hits):
    """Predictions for rows of (label, right, leaked)."""
    labels = np.array([label for label, _, _ in hits])
    right = np.array([r for _, r, _ in hits], bool)
    probabilities = np.eye(8)[np.where(right, labels, (labels + 1) % 8)]
    return probabilities, labels, np.array([leaked for _, _, leaked in hits], bool)


def test_parts_and_drop_by_hand():
    rows = [(0, 1, 0)] * 3 + [(0, 0, 0)] + [(0, 1, 1)] * 2
    result = leak_scores(*case(rows))
    assert {part: result[part]["n"] for part in ("all", "leak_free", "leaked")} == {
        "all": 6,
        "leak_free": 4,
        "leaked": 2,
    }
    assert result["leak_free"]["accuracy"] == 0.75
    assert result["drop"]["plain"]["difference"] == pytest.approx(0.25)
    assert result["drop"]["same_classes"]["difference"] == pytest.approx(0.25)


def test_the_class_mix_is_taken_out():
    """Equal recalls in both parts, but the leaked part has more of the hard class: only the plain drop shows it."""
    easy, hard = [(4, 1, 0)] * 80 + [(0, 1, 0)] * 10 + [(0, 0, 0)] * 10, [(4, 1, 1)] * 20 + [(0, 1, 1)] * 40
    result = leak_scores(*case(easy + hard + [(0, 0, 1)] * 40))
    assert result["drop"]["plain"]["difference"] == pytest.approx(0.6 - 0.9)
    assert result["drop"]["same_classes"]["difference"] == pytest.approx(0)
    low, high = result["drop"]["same_classes"]["interval"]
    assert low < 0 < high


def test_a_class_of_one_part_only_does_not_count_for_the_same_mix():
    rows = [(0, 1, 0)] * 5 + [(1, 0, 0)] * 5 + [(0, 1, 1)] * 5
    assert leak_scores(*case(rows))["drop"]["same_classes"]["difference"] == 0


def test_parts_without_a_common_class_have_no_drop_at_the_same_mix():
    result = leak_scores(*case([(0, 1, 0)] * 3 + [(1, 1, 1)] * 3))
    assert set(result["drop"]) == {"plain"}


def test_without_leaks_there_is_no_drop():
    result = leak_scores(*case([(0, 1, 0), (1, 1, 0)]))
    assert set(result) == {"all", "leak_free"}
    dropped = case([(0, 1, 0), (1, 1, 1)])
    assert set(leak_scores(dropped[0], np.array([0, -1]), dropped[2])) == {"all", "leak_free"}
