"""The human line of the real votes; skipped by name without FERLIB_DATA."""

import numpy as np
import pytest

from ferlib.data import ferplus
from ferlib.evaluation.taggers import human_line


@pytest.mark.realdata
def test_one_tagger_reaches_the_known_human_line_on_test(real_root):
    data = ferplus.load_all(real_root)
    line = human_line(np.asarray(data.votes[data.split == "test"]))
    assert line["n"] == 3137
    assert line["against_majority"] == pytest.approx(0.786, abs=0.0005)
    assert line["against_others"] == pytest.approx(0.772, abs=0.0006)
