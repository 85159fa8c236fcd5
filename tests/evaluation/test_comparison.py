import numpy as np
import pytest
from scipy.stats import binom

from ferlib.evaluation.comparison import compare_pairs, holm, mcnemar


def rights(both, first, second, neither=0):
    """Booleans of two models that are both right, only one right, and both wrong so many times."""
    model_a = [1] * (both + first) + [0] * (second + neither)
    model_b = [1] * both + [0] * first + [1] * second + [0] * neither
    return np.array(model_a, bool), np.array(model_b, bool)


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_images():
    model_a, model_b = rights(50, 9, 2, 7)
    assert mcnemar(model_a, model_b) == pytest.approx(2 * binom.cdf(2, 11, 0.5), abs=1e-12)
    assert mcnemar(model_b, model_a) == mcnemar(model_a, model_b)


def test_equal_models_do_not_differ():
    model_a, _ = rights(5, 3, 0)
    assert mcnemar(model_a, model_a) == 1.0
    assert mcnemar(*rights(0, 4, 4)) == 1.0


def test_models_of_other_images_are_refused():
    with pytest.raises(ValueError, match="same images"):
        mcnemar(np.ones(3), np.ones(4))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).tolist() == []


def test_every_pair_is_compared_with_the_correction_over_all():
    model_a, model_b = rights(60, 20, 2, 18)
    rows = compare_pairs({"a": model_a, "b": model_b, "c": model_a})
    assert [(row["first"], row["second"]) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert rows[0]["difference"] == pytest.approx(0.18)
    assert rows[0]["interval"][0] > 0
    assert rows[0]["p_adjusted"] == pytest.approx(3 * rows[0]["p"])
    assert (rows[1]["difference"], rows[1]["interval"], rows[1]["p_adjusted"]) == (0, [0, 0], 1)
    assert compare_pairs({"a": model_a}) == []
