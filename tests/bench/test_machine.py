import pytest
import torch

from ferlib.bench import machine
from ferlib.errors import FerlibError


def test_candidates_take_turns_and_the_warm_up_is_dropped():
    calls = []

    def candidate(name):
        return lambda argument: calls.append((name, argument)) or argument * 10

    measurements = machine.take_turns({"a": candidate("a"), "b": candidate("b")}, [1, 2, 3], warm_up=1)
    assert calls == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]
    assert measurements == {"a": [20, 30], "b": [20, 30]}


def test_percentiles_are_rounded():
    assert machine.percentiles([1.0, 2.0, 3.00049]) == {"p50": 2.0, "p95": 2.9}


def test_the_time_of_a_call_is_in_milliseconds():
    arguments = []
    assert 0 <= machine.milliseconds(arguments.append, 1) < 1000
    assert arguments == [1]


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    during = []

    def fail():
        with machine.torch_threads(before + 1):
            during.append(torch.get_num_threads())
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert (during, torch.get_num_threads()) == ([before + 1], before)


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(machine, "MEASURED_PACKAGES", ("numpy", "no-such-package"))
    assert {"code_commit", "cores", "usable_cores", "processor", "numpy"} == set(machine.machine())


@pytest.mark.slow
def test_a_measurement_in_a_process_that_fails_is_named():
    with pytest.raises(FerlibError, match=r"the loop 'usual' could not be measured \(.*no recipe 'x'.*\)"):
        machine.run_in_process("ferlib.bench.training", ["usual", "x", "128"], "the loop 'usual'")
