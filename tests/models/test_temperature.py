import numpy as np
import pytest
from fakes import logits_case

from ferlib.models.temperature import at_temperature, fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_that_spoiled_the_logits_is_found_again(temperature):
    probabilities, labels = logits_case(20_000)
    spoiled = at_temperature(probabilities, 1 / temperature)
    assert fit_temperature(spoiled, labels) == pytest.approx(temperature, rel=0.03)
    assert fit_temperature(spoiled, probabilities) == pytest.approx(temperature, rel=1e-3)


def test_scaling_keeps_the_order_and_undoes_itself():
    probabilities, _ = logits_case(50)
    warm = at_temperature(probabilities, 3.0)
    assert np.array_equal(warm.argsort(axis=1), probabilities.argsort(axis=1))
    assert np.allclose(at_temperature(warm, 1 / 3.0), probabilities, atol=1e-9)
    assert np.allclose(warm.sum(axis=1), 1)


def test_images_without_a_label_do_not_count_for_the_temperature():
    probabilities, labels = logits_case(300)
    dropped = np.where(np.arange(300) % 3 == 0, -1, labels)
    expected = fit_temperature(probabilities[dropped >= 0], labels[dropped >= 0])
    assert fit_temperature(probabilities, dropped) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no labelled image"):
        fit_temperature(probabilities, np.full(300, -1))
