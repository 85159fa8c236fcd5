import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from ferlib.live.assignment import assign

SCORES = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-3, 3).map(lambda value: round(value, 2)))
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(SCORES)
def test_the_sum_is_as_great_as_scipys(scores):
    pairs = assign(scores)
    rows, columns = zip(*pairs, strict=True)
    assert len(pairs) == min(scores.shape) == len(set(rows)) == len(set(columns))
    expected = scores[linear_sum_assignment(scores, maximize=True)].sum()
    assert scores[list(rows), list(columns)].sum() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [(40, 40), (60, 25), (1, 80)])
def test_many_faces(shape):
    scores = np.random.default_rng(0).random(shape)
    rows, columns = zip(*assign(scores), strict=True)
    assert scores[list(rows), list(columns)].sum() == pytest.approx(
        scores[linear_sum_assignment(scores, maximize=True)].sum()
    )
