"""Threads that share jobs."""

import os
import threading
import time

import numpy as np
import pytest

from ferlib.parallel import Workers

on_linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads are only kept apart on Linux")


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_jobs(threads, count):
    def work(job):
        time.sleep(0.0005 * (job % 3))
        return 2 * job

    assert Workers(threads).share(work, range(count)) == [2 * job for job in range(count)]


def test_helpers_do_their_share():
    all_three = threading.Barrier(3, timeout=60)

    def work(_):
        all_three.wait()
        return threading.get_ident()

    assert len(set(Workers(3).share(work, range(12)))) == 3


def test_only_one_thread_draws_at_a_time():
    inside, peak = 0, 0

    def jobs():
        nonlocal inside, peak
        for job in range(30):
            inside += 1
            peak = max(peak, inside)
            time.sleep(0.0005)
            inside -= 1
            yield job

    assert Workers(3).share(lambda job: time.sleep(0.0005) or job, jobs()) == list(range(30))
    assert peak == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bad", range(4))
def test_the_error_of_a_job_is_raised_and_the_next_call_works(threads, bad):
    workers, done = Workers(threads), []

    def work(job):
        time.sleep(0.002)
        if job == bad:
            raise ValueError(f"job {job}")
        done.append(job)

    with pytest.raises(ValueError, match=f"job {bad}"):
        workers.share(work, range(4))
    finished = list(done)
    time.sleep(0.01)
    assert done == finished  # nothing is under way any more
    assert workers.share(str, range(3)) == ["0", "1", "2"]


def test_after_an_error_no_more_jobs_are_drawn():
    started, failed = [], threading.Event()

    def work(job):
        started.append(job)
        if job == 1:
            failed.set()
            raise ValueError("job 1")
        failed.wait(60)
        time.sleep(0.05)

    with pytest.raises(ValueError, match="job 1"):
        Workers(2).share(work, range(200))
    assert len(started) < 10


@pytest.mark.parametrize("threads", [1, 2])
def test_the_error_of_a_generator_is_raised(threads):
    def jobs():
        yield 1
        yield 2
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        Workers(threads).share(str, jobs())


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 32, 33, 100])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_portions_are_small_about_equal_and_as_many_for_each_thread(count, threads):
    rows = np.arange(count)
    portions = Workers(threads).portions(rows, 16)
    sizes = [len(portion) for portion in portions]
    assert np.array_equal(np.concatenate(portions), rows)
    assert 1 <= min(sizes) <= max(sizes) <= min(16, min(sizes) + 1)
    assert len(portions) % threads == 0 or sizes == [1] * count


@on_linux
def test_threads_that_fill_the_machine_are_kept_apart_for_a_while():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("a machine with one core cannot keep threads apart")
    two = set(sorted(allowed)[:2])
    os.sched_setaffinity(0, two)
    try:
        workers, cores = Workers(2), []
        both = threading.Barrier(2, timeout=60)  # neither thread does the other one's job

        def work(_):
            cores.append(frozenset(os.sched_getaffinity(0)))
            both.wait()

        with workers.apart():
            workers.share(work, range(4))
        assert set(map(len, cores)) == {1}
        assert frozenset().union(*cores) == two
        cores.clear()
        workers.share(work, range(4))
        assert set(cores) == {frozenset(two)}  # the helper is free again, too
        assert os.sched_getaffinity(0) == two
        with pytest.raises(RuntimeError), workers.apart():
            raise RuntimeError
        assert os.sched_getaffinity(0) == two
    finally:
        os.sched_setaffinity(0, allowed)


@on_linux
def test_nothing_is_fixed_where_a_core_is_left_over_or_the_system_forbids_it(monkeypatch):
    allowed = os.sched_getaffinity(0)
    with Workers(len(allowed) + 1).apart():
        assert os.sched_getaffinity(0) == allowed

    def forbidden(*_):
        raise PermissionError

    workers = Workers(len(allowed))
    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with workers.apart():
        assert workers.share(str, range(3)) == ["0", "1", "2"]


def test_other_systems_share_the_jobs_as_well(monkeypatch):
    monkeypatch.setattr("ferlib.parallel._current_core", None)
    workers = Workers(2)
    with workers.apart():
        assert workers.share(str, range(3)) == ["0", "1", "2"]
