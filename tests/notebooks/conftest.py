import pytest

from ferlib import paths


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "data" / "runs")
    (tmp_path / "notebooks" / "params").mkdir(parents=True)
    return tmp_path
