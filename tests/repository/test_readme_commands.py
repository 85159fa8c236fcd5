"""Every command of the README does what it says: each is looked up here by its text, and run.

What takes hours is run with a smaller setting, servers only until they answer, and make targets as ``make -n``, which
fails for a target or a prerequisite that does not exist.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from http.client import HTTPConnection
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ferlib import paths
from ferlib.cli import main
from ferlib.data.drawn.dataset import draw_faces
from ferlib.faces.pictures import sample_picture

README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE = int(os.environ.get("FERLIB_PATIENCE", 120))  # seconds for a server to come up


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands():
    """The lines of the bash blocks without their comments, and each command in the text, once."""
    lines = [line.split("  #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    written = [part.strip() for code in re.findall(r"`([^`\n]+)`", prose) for part in code.split("&&")]
    start = r"(\.venv/bin/\w|make |python3? |ferlib |conda |pip )"
    in_text = [code for code in written if re.match(start, code)]
    in_text += re.findall(r"FERLIB_DATA=\S+ ferlib [a-z ]*[a-z]", README)  # in the tree
    return list(dict.fromkeys(command for command in [*lines, *in_text] if command))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the files that the README names; what is written goes there too."""
    Image.fromarray(sample_picture()[:256, 80:370]).save(tmp_path / "photo.jpg", quality=95)
    (tmp_path / "holiday").mkdir()
    shutil.copy(tmp_path / "photo.jpg", tmp_path / "holiday")
    for name, label in (("happy", 4), ("sad", 6)):
        (tmp_path / "CK+48" / name).mkdir(parents=True)
        for number, face in enumerate(draw_faces([label] * 2, seed=2, size=48)):
            Image.fromarray(face).save(tmp_path / "CK+48" / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    for name in ("RUNS", "PROCESSED", "FIGURES"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    return tmp_path


def ferlib(command):
    """Exit status of a command line in this process."""
    parts = shlex.split(command)
    assignments = dict(part.split("=") for part in parts if re.match(r"[A-Z_]+=", part))
    arguments = parts[len(assignments) :]
    assert arguments[0].removeprefix(".venv/bin/") == "ferlib"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in assignments.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["ferlib", *arguments[1:]])
        with pytest.raises(SystemExit) as stop:
            main.main()
    return stop.value.code or 0


def makes(command):
    """A make target: its recipe is complete."""
    done = subprocess.run(
        [*shlex.split(command), "-n"], cwd=paths.ROOT, capture_output=True, text=True, env={**os.environ, "BENCH": ""}
    )
    assert done.returncode == 0, done.stderr


def activates(command, desk):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=desk, check=True)
    shown = subprocess.run(["bash", "-c", f"{command} && command -v python"], cwd=desk, capture_output=True, text=True)
    assert shown.stdout.strip() == str(desk / ".venv" / "bin" / "python")


def serves(command):
    """A server that answers, then ends when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "ferlib.cli", *shlex.split(command)[1:], "--no-browser", "--port", str(port)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (answered := answers(port)) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.3)
        assert answered, f"{command} did not answer"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status in (200, 302)
    except OSError:
        return False
    finally:
        connection.close()


def predicts_a_video(command, desk):
    from ferlib.samples.sheet import write_clip

    write_clip(desk / "clip.mp4", seconds=1, rate=3)
    assert ferlib(command) == 0
    assert (desk / "rows.csv").is_file()


def evaluates_groups(command, desk):
    from ferlib.models.checkpoints import DEFAULT_MODEL
    from ferlib.publishing.store import published_predictions

    ids = published_predictions(DEFAULT_MODEL, "valid")["ids"]
    rows = [f"{name},{'young' if index % 2 else 'old'}" for index, name in enumerate(ids)]
    (desk / "people.csv").write_text("\n".join(["id,age", *rows]))
    assert ferlib(command) == 0


def trains(command, monkeypatch):
    """The recipe with an epoch of a tiny network."""
    from ferlib.training import recipes

    small = replace(recipes.recipe("custom_cnn"), width=0.125, epochs=1, sizes=((0.0, 24),), batch_size=32)
    monkeypatch.setattr(recipes, "recipe", lambda name, **changes: small)
    assert ferlib(command) == 0
    assert (paths.RUNS / "custom_cnn" / "run.json").is_file()


def writes(command, *targets):
    assert ferlib(command) == 0
    for target in targets:
        assert list(paths.FIGURES.parent.glob(target)), target


def fails_kindly(command, capsys):
    """Without kagglehub or a login it says what to do; here there is no network either."""
    from ferlib.data import fetch

    def unknown(**options):
        raise ValueError("no login")

    kaggle = SimpleNamespace(competition_download=unknown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RAW", paths.RUNS / "raw")
        patch.setattr(fetch, "LABEL_DOWNLOADS", {})
        patch.setattr(fetch, "_import_kagglehub", lambda: kaggle)
        assert ferlib(command) == 1
    assert "1. Make an account at https://www.kaggle.com" in capsys.readouterr().err


# How each command is run. `desk`, `monkeypatch` and `capsys` are given where they are asked for.
RUNS = {
    "source .venv/bin/activate": lambda c, desk: activates(c, desk),
    "ferlib predict photo.jpg": lambda c, desk: writes(c),
    "ferlib predict holiday/ --csv faces.csv --annotate out/": lambda c, desk: writes(c, "faces.csv", "out/*.png"),
    "ferlib predict holiday/ --strict": lambda c, desk: writes(c),
    "ferlib predict holiday/ --parquet faces.parquet": lambda c, desk: writes(c, "faces.parquet"),
    "ferlib predict photo.jpg --json": lambda c, desk: writes(c),
    "ferlib predict clip.mp4 --csv rows.csv --annotate out/": lambda c, desk: predicts_a_video(c, desk),
    "ferlib app": lambda c: serves(c),
    "ferlib app --notebook": lambda c: serves(c),
    "ferlib export --out faces.onnx": lambda c, desk: writes(c, "faces.onnx"),
    "ferlib bench live": lambda c, desk: writes(f"{c} --quick"),
    "ferlib doctor": lambda c, desk, monkeypatch, capsys: is_told(c, monkeypatch, capsys),
    ".venv/bin/ferlib doctor": lambda c, desk, monkeypatch, capsys: is_told(c, monkeypatch, capsys),
    "ferlib evaluate --split test": lambda c: writes(c),
    "ferlib evaluate --folder CK+48": lambda c, desk: writes(c),
    "ferlib evaluate --groups people.csv --by age": lambda c, desk: evaluates_groups(c, desk),
    "ferlib data check": lambda c, desk: writes(c),
    "FERLIB_DATA=data/sample ferlib data check": lambda c, desk, monkeypatch, capsys: checks(c, monkeypatch, capsys),
    "ferlib data fetch": lambda c, desk, capsys: fails_kindly(c, capsys),
    "ferlib train custom_cnn": lambda c, desk, monkeypatch: trains(c, monkeypatch),
    "ferlib figures --pdf": lambda c, desk: writes(c, "figures/*.pdf"),
    ".venv/bin/ferlib demo": lambda c, desk: writes(c, "runs/demo.png"),
    "ferlib demo": lambda c, desk: writes(c, "runs/demo.png"),
}
# Run elsewhere, each with where.
ELSEWHERE = {
    'pip install ".[notebooks,app]"': "downloads packages; tests/repository/test_skeleton.py knows the extras",
    "python3 -m venv .venv": "what `make setup` runs; continuous integration starts with it",
    ".venv/bin/pip install -r requirements-light.lock": "the same",
    ".venv/bin/pip install -r requirements.lock": "the same",
    ".venv/bin/pip install --no-deps -e .": "the same",
    "conda env create -f environment.yml": "needs conda; test_skeleton.py compares the file with pyproject.toml",
    "conda activate ferlib": "the same",
    "ferlib bench train": "takes minutes; tests/bench/test_training.py runs its loops on a small network",
    ".venv/bin/python -m ferlib.notebooks published": "what `make reproduce` runs",
    "python -m ferlib.notebooks published": "the same",
    ".venv/bin/jupyter lab notebooks": "tests/apps/test_browser.py opens JupyterLab with these notebooks",
}


def is_told(command, monkeypatch, capsys):
    """With the drawn data and every package at hand, all that is needed is here."""
    monkeypatch.setattr("ferlib.cli.doctor.check_camera", lambda: [])  # a real one would light up
    assert ferlib(command) == 0
    assert capsys.readouterr().out.rstrip().endswith("All that is needed is here.")


def checks(command, monkeypatch, capsys):
    """From the project's folder, with the data set that the command itself names."""
    monkeypatch.setenv("FERLIB_DATA", "nowhere")
    monkeypatch.chdir(paths.ROOT)
    assert ferlib(command) == 0
    assert "official zips" in capsys.readouterr().out


def test_every_command_of_the_readme_is_known_here():
    known = {*RUNS, *ELSEWHERE}
    assert [command for command in commands() if command not in known and not command.startswith("make ")] == []


def test_no_command_is_known_in_vain():
    assert [command for command in [*RUNS, *ELSEWHERE] if command not in commands()] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("make ")])
def test_make_command(command):
    makes(command)


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in RUNS if line in commands()])
def test_command(command, request):
    run = RUNS[command]
    names = run.__code__.co_varnames[1 : run.__code__.co_argcount]
    if "app" in command.split() and "--notebook" not in command:
        pytest.importorskip("streamlit_webrtc", reason="the extra app is not installed")
    run(command, *(request.getfixturevalue(name) for name in names))


def test_the_python_of_the_readme(desk, capsys):
    (code,) = blocks("python")
    names = {"faces": np.zeros((3, 48, 48), np.uint8)}
    exec(code, names)
    assert "happy" in capsys.readouterr().out
    assert names["classifier"].predict_proba(names["faces"]).shape == (3, 8)
