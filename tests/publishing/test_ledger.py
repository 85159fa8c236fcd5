import json
import os
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from ferlib import paths
from ferlib.data.data_set import DataSet
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.publishing import ledger, splits, store

READ = {
    "model": "a", "protocol": "majority", "n": 7, "data_hash": "data", "weights_sha256": "weights", "purpose": "check",
}  # fmt: skip

APPENDING = """
import sys
from pathlib import Path
from ferlib import paths
from ferlib.publishing import ledger

paths.PROCESSED = Path(sys.argv[1]).parent
ledger.code_commit = lambda: "unknown"
for number in range(int(sys.argv[3])):
    ledger.record_read(
        Path(sys.argv[1]), model=sys.argv[2], protocol="p", n=number, data_hash="d", weights_sha256="w", purpose="x"
    )
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    return tmp_path / ledger.LEDGER_NAME


def start_appending(path, name, count):
    return subprocess.Popen([sys.executable, "-c", APPENDING, str(path), name, str(count)])


def test_reads_are_appended_and_repeats_are_marked(path):
    assert ledger.read_ledger(path) == []
    first = ledger.record_read(path, **READ)
    others = [READ, READ | {"weights_sha256": "other"}, READ | {"data_hash": "other"}]
    reads = [first, *(ledger.record_read(path, **read) for read in others)]
    assert ledger.read_ledger(path) == reads
    assert [read.repeat for read in reads] == [False, True, False, False]
    assert first.recorded == ledger.AT_THE_READ
    assert first.date.endswith("+00:00")
    assert ledger.reads_of(reads, "weights", "data") == reads[:2]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"reads": [{"model": "a"}]}', '{"reads": [{"unknown": 1}]}', '{"reads": 3}']
)
def test_a_damaged_ledger_is_a_sentence_and_stays_as_it_is(path, content):
    path.write_text(content)
    with pytest.raises(FerlibError, match=r"ledger of test reads test_reads\.json is damaged; restore it"):
        ledger.record_read(path, **READ)
    assert path.read_text() == content


def test_a_damaged_ledger_stops_before_test_is_read(project, drawn):
    paths.PUBLISHED.mkdir()
    (paths.PUBLISHED / ledger.LEDGER_NAME).write_text("{")

    class Unasked:
        def predict_proba(self, *_, **__):
            pytest.fail("test was read")

    with pytest.raises(FerlibError, match="is damaged"):
        splits.score_test(Unasked(), DataSet(drawn), purpose="check")


def test_an_interrupted_append_leaves_the_old_ledger(path, monkeypatch):
    ledger.record_read(path, **READ)
    before = path.read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        ledger.record_read(path, **READ)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*.json"))


def test_a_kill_loses_no_entry(path):
    process = start_appending(path, "a", 100_000)
    deadline = time.monotonic() + 60
    while len(ledger.read_ledger(path)) < 20 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    numbers = [read.n for read in ledger.read_ledger(path)]
    assert len(numbers) >= 20
    assert numbers == list(range(len(numbers)))
    ledger.record_read(path, **READ)  # the lock went with the process


def test_two_processes_lose_nothing_to_each_other(path):
    processes = [start_appending(path, name, 25) for name in ("a", "b")]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    reads = ledger.read_ledger(path)
    for name in ("a", "b"):
        assert [read.n for read in reads if read.model == name] == list(range(25))


def test_reads_of_the_official_data_are_published_wherever_the_results_go(tmp_path):
    published = paths.PUBLISHED / ledger.LEDGER_NAME
    assert ledger.ledger_path("drawn") == published
    assert ledger.ledger_path("drawn", tmp_path) == tmp_path / ledger.LEDGER_NAME
    for official in OFFICIAL_HASHES:
        assert ledger.ledger_path(official, tmp_path) == published


def test_each_published_score_on_test_has_an_entry():
    reads = ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME)
    for folder in sorted(path.parent for path in paths.PUBLISHED.glob("*/predictions_test.npz")):
        metrics = store.published_metrics(folder.name)
        of_model = [read for read in reads if read.model == folder.name]
        (publication,) = [read for read in of_model if read.purpose == "publication"][-1:]
        assert publication.n == metrics["test"]["all"]["n"]
        assert (publication.data_hash, publication.protocol) == (metrics["run"]["data_hash"], metrics["protocol"])
        if (folder / "study.json").is_file():
            weights = json.loads((folder / "study.json").read_text())["about"]["weights_sha256"]
            assert {read.weights_sha256 for read in of_model if read.purpose == "full report"} >= {weights}


def test_the_published_ledger_was_only_appended_to():
    """Each committed version of the ledger begins with the version before it."""
    name = (paths.PUBLISHED / ledger.LEDGER_NAME).relative_to(paths.ROOT).as_posix()

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=paths.ROOT, capture_output=True, text=True, check=False)

    commits = git("log", "--reverse", "--format=%H", "--", name).stdout.split()
    versions = [json.loads(git("show", f"{commit}:{name}").stdout)["reads"] for commit in commits]
    versions.append(json.loads((paths.PUBLISHED / ledger.LEDGER_NAME).read_text(encoding="utf-8"))["reads"])
    for earlier, later in pairwise(versions):
        assert later[: len(earlier)] == earlier
    for number, read in enumerate(versions[-1]):
        same = [(each["weights_sha256"], each["data_hash"]) for each in versions[-1][:number]]
        assert read["repeat"] == (
            read["weights_sha256"] is not None and (read["weights_sha256"], read["data_hash"]) in same
        )
