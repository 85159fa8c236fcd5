import pytest

from ferlib import format as formats


def test_percent_and_points_with_their_intervals():
    assert formats.percent(0.8652) == "86.5"
    assert formats.percent_with_interval(0.8518, [0.839, 0.864], bound_digits=2) == "85.18 (83.90 to 86.40)"
    assert formats.percent_with_interval(0.8518, [0.839, 0.864], 1, join="–") == "85.2 (83.9–86.4)"
    assert formats.points(-0.0125) == "-1.25"
    assert formats.points_with_interval(0.0125, [-0.005, 0.02]) == "+1.25 (-0.5 to +2.0)"
    assert formats.share_with_interval(0.8518, (0.839, 0.864)) == "85.18% (95 % 83.90% to 86.40%)"
    assert formats.with_interval(0.5, [0.25, 0.75]) == "0.500 (0.250 to 0.750)"


def test_the_undefined_is_a_dash():
    assert formats.percent_with_interval(None, None) == formats.with_interval(0.5, None) == "–"


@pytest.mark.parametrize(("p", "text"), [(0.0004, "p < 0.001"), (0.001, "p = 0.001"), (0.25, "p = 0.250")])
def test_small_p_values_are_bounded(p, text):
    assert formats.p_value(p) == text


def test_durations_are_in_hours():
    assert formats.hours(5400) == "1.5 h"
