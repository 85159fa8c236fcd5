"""The wheel in a fresh environment with base dependencies alone predicts from any folder and writes nowhere else."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ferlib
from ferlib import paths
from ferlib.faces.pictures import sample_picture

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Standard output of a command, run in a folder without the checkout's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FERLIB", "PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", folder, paths.ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Folder of a virtual environment with the wheel and what it needs."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, place, folder=place.parent)
    python = place / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, wheel, folder=place.parent)
    return place


def contents(folder: Path) -> dict[str, int]:
    """Every file below a folder and its size, but for compiled Python."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def test_the_wheel_is_small_and_holds_what_prediction_needs(wheel):
    assert wheel.stat().st_size < 25e6
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("convnext.onnx", "convnext.int8.onnx", "convnext.json", "mtcnn/pnet.onnx", "astronaut.png"):
        assert f"ferlib/weights/{name}" in names
    assert not [name for name in names if name.startswith(("tests", "tools", "data"))]


def test_the_environment_is_light(installed):
    run(installed / "bin" / "python", "-m", "compileall", "-q", "-j", "0", installed / "lib", folder=installed)
    size = sum(path.lstat().st_size for path in installed.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 425 * 2**20  # 450 with the pip and setuptools of a fresh venv
    packages = {path.name for path in installed.glob("lib/python*/site-packages/*")}
    assert not packages & {"torch", "timm", "numba", "pandas", "matplotlib", "scipy", "sklearn", "onnx", "av"}


def test_it_predicts_from_another_folder_as_the_checkout_does(installed, tmp_path):
    photo, home = tmp_path / "photo.png", tmp_path / "home"
    photo.write_bytes((paths.WEIGHTS / "astronaut.png").read_bytes())
    before = contents(installed)
    command = installed / "bin" / "ferlib"
    line = run(command, "predict", photo.name, "--json", folder=tmp_path, FERLIB_HOME=str(home))
    expected = [face.to_dict() for face in ferlib.load_pipeline()(sample_picture())]
    assert json.loads(line)["faces"] == expected
    said = run(installed / "bin" / "python", "-m", "ferlib", "doctor", folder=tmp_path, FERLIB_HOME=str(home))
    assert "All that is needed is here." in said
    program = "import ferlib, json; print(json.dumps([face.to_dict() for face in ferlib.load_pipeline()('photo.png')]))"
    said = run(installed / "bin" / "python", "-c", program, folder=tmp_path, FERLIB_HOME=str(home))
    assert json.loads(said) == expected
    program = "import ferlib; print(ferlib.load_classifier(engine='int8').engine)"
    assert run(installed / "bin" / "python", "-c", program, folder=tmp_path, FERLIB_HOME=str(home)) == "int8\n"
    assert contents(installed) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"photo.png", "home"}


def test_a_video_says_what_to_install(installed, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    done = subprocess.run(
        [installed / "bin" / "ferlib", "predict", "clip.mp4"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "ferlib: Reading a video needs the package av; install it: pip install 'ferlib[video]'\n"


def test_the_source_distribution_holds_the_tests(tmp_path):
    run(sys.executable, "-m", "uv", "build", "--quiet", "--sdist", "--out-dir", tmp_path, paths.ROOT, folder=tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    names = run("tar", "tzf", archive, folder=tmp_path)
    root = archive.name.removesuffix(".tar.gz")
    for name in ("tests/conftest.py", "notebooks/01_data_cleaning.ipynb", "data/published/convnext/metrics.json",
                 "requirements.lock", "tools/bench_camera.py", "Makefile"):  # fmt: skip
        assert f"{root}/{name}\n" in names
    assert "data/runs" not in names
