import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest
from PIL import Image

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.scoring import on_ray
from ferlib.scoring.tables import CSV_COLUMNS


@pytest.fixture
def predictor(monkeypatch, pipeline):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(on_ray, "load_pipeline", lambda **options: pipeline)
    return on_ray.PicturePredictor(model="m")


def test_rows_of_a_batch(predictor, photo, tmp_path):
    names = [str(tmp_path / name) for name in ("face.png", "plain.png", "broken.png", "missing.png")]
    Image.fromarray(photo).save(names[0])
    Image.new("RGB", (100, 100)).save(names[1])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    table = predictor({"source": names})
    assert table.column_names == [*CSV_COLUMNS, "problem"]
    rows = table.to_pylist()
    assert [(row["source"], row["face"]) for row in rows] == [(names[0], 1), (names[2], 0), (names[3], 0)]
    assert (rows[0]["emotion"], rows[0]["sure"], rows[0]["problem"]) == ("angry", True, None)
    assert "is not a picture" in rows[1]["problem"]
    assert rows[1]["angry"] is None


def test_a_batch_without_rows_has_the_columns(predictor, tmp_path):
    Image.new("RGB", (100, 100)).save(tmp_path / "plain.png")
    table = predictor({"source": [str(tmp_path / "plain.png")]})
    assert (table.num_rows, table.column_names) == (0, [*CSV_COLUMNS, "problem"])


def test_options_reach_the_pipeline(monkeypatch):
    asked = []
    monkeypatch.setattr(on_ray, "load_pipeline", lambda **options: asked.append(options))
    on_ray.PicturePredictor(model="m", min_face_size=60)
    assert asked == [{"threads": 1, "model": "m", "min_face_size": 60}]


def test_without_ray_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FerlibError, match=r"pip install 'ferlib\[ray\]'"):
        on_ray.score_on_ray([tmp_path], tmp_path / "rows")


@pytest.mark.parametrize("kind", ["a file", "a folder with a file"])
def test_a_place_that_holds_something_is_left_alone(tmp_path, kind):
    target = tmp_path / "rows"
    if kind == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    with pytest.raises(FerlibError, match="is no empty folder; name a new one"):
        on_ray.score_on_ray([tmp_path], target)


LOCAL = """
import sys
import ray.cloudpickle as pickle
from pathlib import Path
from ferlib.scoring import on_ray

class Stub:
    def __call__(self, source):
        if "broken" in source:
            from ferlib.errors import FerlibError
            raise FerlibError("it is broken.")
        return []

on_ray.load_pipeline = lambda **options: Stub()
on_ray._PICTURES_AT_ONCE = 2
pickle.register_pickle_by_value(on_ray)  # so that the actors use the stub and load no network
if __name__ == "__main__":
    print("pictures:", on_ray.score_on_ray([sys.argv[1]], sys.argv[2], workers=2))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")
def test_two_local_workers(tmp_path):
    """In a process of its own: Ray opens sockets, which the guard of these tests would not let it."""
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(6):
        Image.new("RGB", (40, 40)).save(folder / f"{index}-{'broken' if index % 2 else 'plain'}.png")
    script = tmp_path / "score.py"
    script.write_text(textwrap.dedent(LOCAL))
    command = [sys.executable, str(script), str(folder), str(tmp_path / "rows")]
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert "pictures: 6" in done.stdout, done.stderr[-2000:]
    rows = parquet.read_table(tmp_path / "rows").to_pylist()
    assert sorted(row["source"].rsplit("/", 1)[1] for row in rows) == [f"{n}-broken.png" for n in (1, 3, 5)]
    assert {row["problem"] for row in rows} == {"it is broken."}
