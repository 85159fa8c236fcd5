import re
import subprocess

from ferlib import paths
from ferlib.provenance import code_commit


def test_a_checkout_names_its_commit(tmp_path, monkeypatch):
    run = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "ferlib").mkdir()
    (tmp_path / "ferlib" / "x.py").write_text("a = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*run, *arguments], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", code_commit())
    (tmp_path / "ferlib" / "x.py").write_text("a = 2\n")
    assert re.fullmatch("[0-9a-f]{40}[+]changes", code_commit())


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_commit() == "unknown"


def test_a_new_file_is_a_change_and_another_repository_is_not_ours(tmp_path, monkeypatch):
    run = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "ferlib").mkdir()
    (tmp_path / "ferlib" / "x.py").write_text("a = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*run, *arguments], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "ferlib" / "new.py").write_text("b = 1\n")
    assert code_commit().endswith("+changes")
    (tmp_path / "ferlib" / "new.py").unlink()
    (tmp_path / "notes.txt").write_text("not code")
    assert not code_commit().endswith("+changes")
    (tmp_path / "inside").mkdir()
    monkeypatch.setattr(paths, "ROOT", tmp_path / "inside")
    assert code_commit() == "unknown"
