import json
import os

import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, sha256, write_json
from ferlib.notebooks import folders


def test_a_failing_writer_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="surrogates"), atomic_path(target) as temporary, open(temporary, "w") as half:
        half.write("half" + "\ud800")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "x.json")
    write_json(link, {"a": 1})
    assert link.is_symlink()
    assert json.loads((tmp_path / "real" / "x.json").read_text()) == {"a": 1}


def test_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for target, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "no ordinary file")):
        with pytest.raises(FerlibError, match=what), atomic_path(target):
            pytest.fail("the block must not run")


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_sha256_is_the_standard_one(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_notebooks_do_not_replace_the_published_results():
    assert folders.notebook_folders("data/published", again=False) == (paths.PUBLISHED, paths.FIGURES)
    mine = paths.RUNS / "mine"
    assert folders.notebook_folders("data/runs/mine", again=True) == (mine, mine / "figures")
    for folder in ("data/published", "data/../data/published/", "data/published/mine"):
        with pytest.raises(FerlibError, match="set RESULTS_DIR to a folder of your own"):
            folders.notebook_folders(folder, again=True)


def test_what_is_flushed_may_be_written(tmp_path, monkeypatch):
    """Windows refuses to flush a file that is open for reading only."""
    monkeypatch.setattr(os, "fsync", lambda handle: os.write(handle, b""))
    write_json(tmp_path / "x.json", {"a": 1})
    assert sha256(tmp_path / "x.json")
