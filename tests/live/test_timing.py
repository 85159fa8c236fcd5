import math

import numpy as np
import pytest

from ferlib.live.timing import BROWSER_STAGES, KERNEL_STAGES, Latency, Stopwatch


def test_percentiles_are_those_of_numpy():
    latency, values = Latency(), np.random.default_rng(0).uniform(0, 100, 200)
    for value in values:
        latency.add({"detect": float(value)})
    expected = {"p50": round(float(np.percentile(values, 50)), 1), "p95": round(float(np.percentile(values, 95)), 1)}
    assert latency.summary() == {"detect": expected | {"n": 200}}


def test_stages_come_in_their_order_and_only_the_last_frames_count():
    latency = Latency()
    for value in range(1000):
        latency.add({name: value for name in reversed((*KERNEL_STAGES, *BROWSER_STAGES))})
    summary = latency.summary()
    assert list(summary) == [*KERNEL_STAGES, *BROWSER_STAGES]
    assert summary["kernel"]["n"] == 300
    assert summary["kernel"]["p50"] == pytest.approx(849.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "fast", None])
def test_nonsense_from_the_browser_does_not_count(value):
    latency = Latency()
    latency.add({"round trip": value, "unknown": 3})
    assert latency.summary() == {}


def test_a_step_is_timed_also_when_it_fails():
    watch = Stopwatch()
    with pytest.raises(ValueError, match="x"), watch.step("detect"):
        raise ValueError("x")
    assert set(watch.stop()) == {"detect", "kernel"}
