import re
import subprocess

import pytest

from ferlib import paths
from ferlib.provenance import code_commit


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one committed module, taken for the project."""
    run = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "ferlib").mkdir()
    (tmp_path / "ferlib" / "x.py").write_text("a = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*run, *arguments], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def test_a_checkout_names_its_commit(checkout):
    assert re.fullmatch("[0-9a-f]{40}", code_commit())
    (checkout / "ferlib" / "x.py").write_text("a = 2\n")
    assert re.fullmatch("[0-9a-f]{40}[+]changes", code_commit())


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_commit() == "unknown"


def test_a_new_file_is_a_change_and_another_repository_is_not_ours(checkout, monkeypatch):
    (checkout / "ferlib" / "new.py").write_text("b = 1\n")
    assert code_commit().endswith("+changes")
    (checkout / "ferlib" / "new.py").unlink()
    (checkout / "notes.txt").write_text("not code")
    assert not code_commit().endswith("+changes")
    (checkout / "inside").mkdir()
    monkeypatch.setattr(paths, "ROOT", checkout / "inside")
    assert code_commit() == "unknown"
