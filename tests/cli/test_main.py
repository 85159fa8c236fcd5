import inspect
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ferlib import __version__, paths
from ferlib.cli import main
from ferlib.cli import options as cli_options
from ferlib.cli.predict import predict_command
from ferlib.data.labels import EMOTIONS
from ferlib.faces.detector import MIN_FACE_SIZE
from ferlib.inference import loading
from ferlib.models import questions


def run(monkeypatch, capsys, *arguments):
    """Exit status, standard output and standard error of ``ferlib ARGUMENTS``, in this process."""
    monkeypatch.setattr(sys, "argv", ["ferlib", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main.main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


@pytest.fixture
def ferlib(monkeypatch, capsys):
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


@pytest.fixture
def photo(tmp_path):
    from ferlib.faces.pictures import sample_picture

    path = tmp_path / "photo.png"
    Image.fromarray(sample_picture()[:256, 80:370]).save(path)
    return path


def test_version(ferlib):
    assert ferlib("--version") == (0, f"ferlib {__version__}\n", "")


def test_help_names_every_command(ferlib):
    status, out, _ = ferlib("--help")
    assert status == 0
    for command in ("predict", "demo", "evaluate", "train", "publish", "study", "data", "notebooks", "FERLIB_DATA"):
        assert command in out


LOADED = """
import sys, importlib
sys.argv = ["ferlib", "--help"]
for name in {modules!r}:
    importlib.import_module(name)
if {help!r}:
    from ferlib.cli.main import main
    try:
        main()
    except SystemExit:
        pass
print("LOADED", *sys.modules)
"""


def loaded_modules(*modules, show_help=False):
    """Names of the modules that a fresh interpreter has after these imports, and after ``ferlib --help``."""
    code = LOADED.format(modules=modules, help=show_help)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_help_imports_nothing_slow():
    loaded = loaded_modules(show_help=True)
    assert not loaded & {"torch", "numpy", "cv2", "onnxruntime", "PIL", "tqdm", "rich", "pydantic", "email", "asyncio"}
    ours = {name for name in loaded if name.partition(".")[0] == "ferlib" and not name.startswith("ferlib.cli")}
    assert ours == {"ferlib", "ferlib.errors", "ferlib.paths"}


@pytest.mark.slow
def test_prediction_imports_no_package_of_training():
    loaded = loaded_modules("ferlib.cli.predict", "ferlib.scoring.pictures", "ferlib.scoring.video")
    assert not loaded & {"torch", "torchvision", "timm", "matplotlib", "sklearn", "pandas", "scipy", "numba", "rich"}


@pytest.mark.slow
def test_predict_json_of_the_shipped_model(ferlib, photo, tmp_path):
    status, out, _ = ferlib("predict", photo, "--json", "--csv", tmp_path / "out.csv", "--annotate", tmp_path / "out")
    assert status == 0
    result = json.loads(out)
    assert list(result) == ["source", "width", "height", "faces"]
    (face,) = result["faces"]
    assert face["emotion"] == "happy"
    assert list(face) == ["box", "detection_confidence", "landmarks", "emotion", "confidence", "sure", "probabilities"]
    assert list(face["probabilities"]) == list(EMOTIONS)
    assert (tmp_path / "out.csv").read_text().count("\n") == 2
    assert (tmp_path / "out" / "photo.annotated.png").is_file()


def test_predict_strict_and_with_a_byte_order_mark(ferlib, photo, tmp_path):
    folder, table = tmp_path / "phone", tmp_path / "out.csv"
    folder.mkdir()
    (folder / "a.png").write_bytes(photo.read_bytes())
    (folder / "b.HEIC").touch()
    status, out, err = ferlib("predict", folder, "--csv", table, "--bom")
    assert (status, err) == (0, f"ferlib: left out of {folder}: 1 HEIC photo (export as JPEG).\n")
    assert table.read_bytes().startswith(b"\xef\xbb\xbfsource,")
    status, again, err = ferlib("predict", folder, "--quiet", "--strict")
    assert (status, again) == (1, "")
    assert "1 HEIC photo" in err
    assert "happy" in out


def test_an_error_of_a_name_with_control_characters_is_safe(ferlib, tmp_path):
    status, _, err = ferlib("evaluate", "--folder", tmp_path / "a\x1b[2Jb")
    assert status == 1
    assert "a\\x1b[2Jb" in err
    assert "\x1b" not in err


def test_predict_says_what_is_wrong_and_does_the_rest(ferlib, photo, tmp_path):
    (tmp_path / "empty.jpg").touch()
    status, out, err = ferlib("predict", tmp_path / "empty.jpg", photo)
    assert status == 1
    assert "happy" in out
    assert "empty.jpg" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["predict", "--model", "none", "x.png"], 1, "there is no checkpoint 'none'"),
        (["evaluate", "--split", "train"], 2, "choose valid or test"),
        (["evaluate", "--model", "none"], 1, "no published model 'none'"),
        (["evaluate", "--detect"], 2, "these go with --folder"),
        (["evaluate", "--numbering", "rafdb"], 2, "these go with --folder"),
        (["evaluate", "--folder", "x", "--split", "valid"], 2, "not about --folder"),
        (["evaluate", "--folder", "x", "--recompute"], 2, "not about --folder"),
        (["figures", "--only", "confusion", "--only", "confusoin"], 1, "there is no figure 'confusoin'"),
        (["train", "resnet"], 1, "there is no recipe 'resnet'"),
        (["train", "custom_cnn", "--name", "../x"], 1, "'../x' is no name for a run"),
        (["train", "custom_cnn", "--seed", "-1"], 2, "--seed"),
        (["demo", "--out", "."], 1, "is a folder; name a file"),
        (["publish", "none"], 1, "the run none is missing or unfinished"),
        (["predict"], 2, "Missing argument"),
    ],
)
def test_mistakes_get_one_sentence(ferlib, arguments, status, sentence):
    code, _, err = ferlib(*arguments)
    assert code == status
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [["data", "check"], ["train", "custom_cnn"], ["evaluate", "--recompute"]])
def test_data_that_is_nowhere(ferlib, monkeypatch, command):
    monkeypatch.setenv("FERLIB_DATA", "no/such/folder")
    status, out, err = ferlib(*command)
    assert (status, out) == (1, "")
    assert err.strip() == (
        "ferlib: FERLIB_DATA names 'no/such/folder', which is not a folder; set it to the folder that holds FER2013+."
    )


def test_data_fetch_says_what_is_there_now(ferlib, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("ferlib.data.fetch.fetch", lambda **options: asked.append(options))
    monkeypatch.delenv("FERLIB_DATA", raising=False)
    assert ferlib("data", "fetch") == (0, "FER2013+ is in data/raw; look at it with 'ferlib data check'.\n", "")
    _, out, _ = ferlib("data", "fetch", "--no-images")
    assert out == "The labels of FER+ are in data/raw; 'ferlib data fetch' gets the images, too.\n"
    assert asked == [{"images": True}, {"images": False}]
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path))
    _, out, _ = ferlib("data", "fetch")
    assert "FERLIB_DATA names another folder, which is read in its place; unset it to use data/raw." in out
    monkeypatch.setattr(paths, "RAW", tmp_path / "raw")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "raw").mkdir()
    monkeypatch.setenv("FERLIB_DATA", "raw")  # relative to the project, from anywhere
    assert "another folder" not in ferlib("data", "fetch")[1]


@pytest.mark.slow
def test_names_that_the_terminal_cannot_write_stop_nothing(tmp_path):
    """A redirected output on Windows has the encoding of its code page."""
    for name in ("happy", "映像"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (60, 60)).save(tmp_path / name / "x.png")
    done = subprocess.run(
        [sys.executable, "-m", "ferlib.cli", "evaluate", "--folder", str(tmp_path)], capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"left out, no emotion of ours: \u6620\u50cf (1)" in done.stdout


@pytest.mark.slow
def test_data_check_on_the_drawn_sample(ferlib, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    status, out, _ = ferlib("data", "check")
    assert status == 0
    assert "majority" in out
    assert "groups of images that show the same photo" in out


def test_evaluate_prints_accuracy_interval_n_and_protocol(ferlib):
    status, out, _ = ferlib("evaluate", "--split", "test", "--json")
    assert status == 0
    result = json.loads(out)
    assert result["protocol"] == "FER2013+, label.csv, majority label"
    assert result["n"] == 3137
    low, high = result["accuracy_interval"]
    assert low < result["accuracy"] < high
    assert np.sum(result["confusion"]) == 3137
    assert 0 < result["macro_f1"] < 1
    assert result["leak_free"]["n"] + result["leaked"]["n"] == 3137
    text = ferlib("evaluate", "--split", "test")[1]
    assert "n = 3,137" in text
    assert "macro-F1" in text


@pytest.mark.slow
def test_drawn_data_is_not_published_as_the_data_check(ferlib, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    status, _, err = ferlib("data", "check", "--publish")
    assert status == 1
    assert "not the official data" in err
    assert not (tmp_path / "published").exists()


@pytest.mark.slow
def test_a_figure_without_its_numbers_is_named(ferlib, monkeypatch, tmp_path):
    from ferlib.report import figures

    monkeypatch.setattr(figures, "frame_time_figure", lambda results: None)
    status, out, err = ferlib("figures", "--only", "latency", "--only", "confusion", "--out", tmp_path)
    assert status == 1
    assert "confusion" in out
    assert "nothing is published yet for the figure latency" in err


def test_an_error_of_the_system_without_a_file_keeps_its_reason(ferlib, monkeypatch):
    from ferlib.cli import doctor

    def fail(*_, **__):
        raise OSError("cannot load library 'libx.so'")

    monkeypatch.setattr(doctor, "examine", fail)
    status, _, err = ferlib("doctor")
    assert (status, err) == (1, "ferlib: the system says: cannot load library 'libx.so'.\n")


def test_a_file_in_the_place_of_a_folder_gets_a_sentence(ferlib, tmp_path):
    (tmp_path / "afile").write_text("")
    status, _, err = ferlib("demo", "--out", tmp_path / "afile" / "x.png")
    assert status == 1
    assert "cannot be used" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_evaluate_a_folder_by_groups(ferlib, tmp_path):
    from ferlib.data.drawn.dataset import draw_faces

    rows = ["id,light"]
    for name, label in (("happy", 4), ("Surprise", 7)):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number, face in enumerate(draw_faces([label] * 3, seed=2, size=48)):
            Image.fromarray(face).save(tmp_path / "faces" / name / f"{number}.png")
            rows.append(f"{name}/{number}.png,{'dim' if number else 'bright'}")
    (tmp_path / "light.csv").write_text("\n".join(rows))
    command = ("evaluate", "--folder", tmp_path / "faces", "--groups", tmp_path / "light.csv", "--by", "light")
    status, out, _ = ferlib(*command, "--json")
    assert status == 0
    result = json.loads(out)
    assert result["classes"] == ["happy", "surprise"]
    assert {name: row["n"] for name, row in result["groups"].items()} == {"bright": 2, "dim": 4}
    assert "by light:" in ferlib(*command)[1]


def test_the_published_predictions_by_groups(ferlib, tmp_path):
    from ferlib.publishing.store import published_predictions

    ids = published_predictions("custom_cnn", "valid")["ids"]
    (tmp_path / "g.csv").write_text("id,half\n" + "\n".join(f"{name},{index % 2}" for index, name in enumerate(ids)))
    status, out, _ = ferlib("evaluate", "--groups", tmp_path / "g.csv", "--by", "half", "--json")
    assert status == 0
    result = json.loads(out)
    assert sum(row["n"] for row in result["groups"].values()) == result["n"] == 3191
    low, high = result["gap"]["interval"]
    assert 0 <= low < high < 0.06


def test_groups_without_a_column_are_refused(ferlib, tmp_path):
    status, _, err = ferlib("evaluate", "--groups", tmp_path / "g.csv")
    assert status == 2
    assert "give both" in err


@pytest.mark.slow
def test_predict_reads_a_video(ferlib, tmp_path):
    from ferlib.samples.sheet import write_clip

    clip = write_clip(tmp_path / "clip.mp4", seconds=1, rate=4)
    status, out, err = ferlib("predict", clip, "--csv", tmp_path / "rows.csv", "--annotate", tmp_path / "out")
    assert (status, err) == (0, "")
    assert "faces followed" in out
    assert (tmp_path / "rows.csv").read_text().startswith("time,frame,track,x1")
    assert (tmp_path / "out" / "clip.annotated.mp4").is_file()


@pytest.mark.parametrize(("more", "sentence"), [(["b.png"], "one video at a time"), (["--json"], "--csv FILE")])
def test_a_video_goes_alone(ferlib, more, sentence):
    status, _, err = ferlib("predict", "a.mp4", *more)
    assert status == 1
    assert sentence in err


@pytest.mark.slow
def test_predict_with_a_named_engine_and_a_table_for_both(ferlib, photo, tmp_path):
    pytest.importorskip("pyarrow")
    out = {}
    for engine in ("torch", "onnx"):
        status, out[engine], _ = ferlib(
            "predict", photo, "--json", "--engine", engine, "--parquet", tmp_path / "a.parquet"
        )
        assert status == 0
    faces = [json.loads(text)["faces"][0]["probabilities"] for text in out.values()]
    assert list(faces[0].values()) == pytest.approx(list(faces[1].values()), abs=1e-4)
    assert (tmp_path / "a.parquet").is_file()
    status, _, err = ferlib("predict", photo, "--engine", "cuda")
    assert (status, err) == (1, "ferlib: there is no engine 'cuda'; choose one of onnx, int8, openvino, torch.\n")


def test_a_folder_is_read_by_as_many_workers_as_there_are_cores(ferlib, photo, monkeypatch):
    from ferlib import parallel
    from ferlib.scoring import pictures, workers

    asked = []
    monkeypatch.setattr(parallel, "cores", lambda: 3)
    monkeypatch.setattr(
        workers, "make_workers", lambda count, **how: asked.append((count, how["min_face_size"])) or (0, 0)
    )
    monkeypatch.setattr(pictures, "predict_paths", lambda *_, **__: 0)
    assert ferlib("predict", photo)[0] == 0
    assert ferlib("predict", photo.parent, "--min-face", "60")[0] == 0
    assert ferlib("predict", photo.parent, "--workers", "5")[0] == 0
    assert asked == [(1, 40), (3, 60), (5, 40)]


@pytest.mark.slow
def test_export_says_how_far_the_graph_is_from_torch(ferlib, tmp_path):
    status, out, err = ferlib("export", "custom_cnn", "--out", tmp_path / "a.onnx", "--json")
    assert (status, err) == (0, "writing the graph\n")
    report = json.loads(out)
    assert report["max_difference"] < 1e-4
    assert report["bytes"] == (tmp_path / "a.onnx").stat().st_size
    assert ferlib("export", "none")[0] == 1


def test_bench_live_records_what_it_prints(ferlib, monkeypatch, tmp_path):
    from ferlib.bench import accuracy, engines, folder, frames

    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    monkeypatch.setattr(
        frames, "compare_frame_times", lambda model, engine, **how: {"model": model, "rounds": how.get("rounds")}
    )
    monkeypatch.setattr(engines, "compare_engines", lambda model, **how: {})
    monkeypatch.setattr(folder, "compare_folders", lambda model, **how: {"few": how.get("few")})
    monkeypatch.setattr(accuracy, "compare_accuracy", lambda model, engine: {"missed": 0})
    status, out, _ = ferlib("bench", "live", "--model", "m", "--folder", "--accuracy", "--json", "--publish")
    expected = {"model": "m", "rounds": None, "classifier": {}, "accuracy": {"missed": 0}, "folder": {"few": None}}
    assert (status, json.loads(out)) == (0, expected)
    assert json.loads((tmp_path / "bench_live.json").read_text()) == expected
    quick = json.loads(ferlib("bench", "live", "--quick", "--folder", "--json")[1])
    assert (quick["rounds"], quick["folder"]) == (2, {"few": 2})
    for few in (["--quick", "--folder", "--accuracy"], ["--folder"], []):  # would replace the whole by a part of it
        status, _, err = ferlib("bench", "live", "--publish", *few)
        assert status == 2
        assert "what is recorded is all of it" in " ".join(err.split())
    assert json.loads((tmp_path / "bench_live.json").read_text()) == expected
    assert "folder" not in json.loads(ferlib("bench", "live", "--json")[1])


def test_help_has_examples_states_and_completion(ferlib):
    out = " ".join(ferlib("--help")[1].split())
    for text in ("ferlib predict photo.jpg", "ferlib doctor", "2 wrong usage", "ferlib --install-completion"):
        assert text in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ferlib tra", {"train"}), ("ferlib train convnext_t", {"convnext_taught"}),
        ("ferlib predict --model custom", {"custom_cnn"}), ("ferlib predict --engine o", {"onnx", "openvino"}),
        ("ferlib bench live --model eff", {"efficientnet_lite2_soup"}),
        ("ferlib export eff", {"efficientnet_lite2_soup"}),
    ],
)  # fmt: skip
def test_the_tab_key_completes_commands_models_recipes_and_engines(typed, offered):
    """What bash would be told: click answers when the environment asks for it."""
    position = str(len(typed.split()) - 1)
    asked = {"_FERLIB_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": position}
    command = [sys.executable, "-c", "from ferlib.cli.main import app; app(prog_name='ferlib')"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, timeout=60)
    assert set(done.stdout.split()) == offered, done.stderr


def test_what_the_command_line_writes_again_is_the_same():
    assert cli_options.ENGINE_NAMES == loading.ENGINES
    assert cli_options.READINGS == questions.READINGS
    assert inspect.signature(predict_command).parameters["min_face_size"].default == MIN_FACE_SIZE


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "predict"])
def test_the_help_of_a_command_has_examples(ferlib, command):
    assert "Examples: ferlib " + command in " ".join(ferlib(command, "--help")[1].split())


def test_quiet_says_nothing_and_still_writes(ferlib, photo, tmp_path):
    assert ferlib("predict", photo, "--quiet", "--csv", tmp_path / "out.csv") == (0, "", "")
    assert (tmp_path / "out.csv").read_text().count("\n") == 2
    status, out, err = ferlib("predict", photo, tmp_path / "gone.png", "-q", "--json")
    assert status == 1
    assert json.loads(out)["faces"]
    assert "gone.png does not exist" in err


def test_interrupting_gives_130(ferlib, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ferlib.cli.demo.run_demo", interrupted)
    assert ferlib("demo")[0] == 130


@pytest.mark.parametrize("options", [["--ip", "0.0.0.0"], ["--source", "none"]])
def test_options_of_the_notebook_application_belong_to_it(ferlib, options):
    status, _, err = ferlib("app", *options)
    assert status == 2
    assert "these belong to --notebook" in err


def test_groups_are_not_scored_anew(ferlib):
    status, _, err = ferlib("evaluate", "--recompute", "--groups", "people.csv", "--by", "age")
    assert status == 2
    assert "stored predictions" in err


def test_the_two_applications(ferlib, monkeypatch, tmp_path):
    from ferlib.apps.jupyter import voila
    from ferlib.apps.page import launch

    served = []
    monkeypatch.setattr(voila, "serve", lambda *given: served.append(("notebook", *given)))
    monkeypatch.setattr(launch, "serve", lambda *given: served.append(("page", *given)))
    ferlib("app", "--no-browser")
    ferlib("app", "--notebook", "--port", "9000", "--source", "none")
    assert served == [("page", 8501, False, False), ("notebook", "127.0.0.1", 9000, "none", False, True)]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    ferlib("app", "--notebook", "--source", "clip.mp4")
    assert served[-1][3] == str(tmp_path / "clip.mp4")


def terminal_output(arguments, **variables):
    """What the command writes to a terminal."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    master, slave = pty.openpty()
    hidden = {"NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"}
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-m", "ferlib.cli", *arguments]
    environment = {**inherited, "TERM": "xterm-256color", "COLUMNS": "100", **variables}
    process = subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=environment)
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 65536):
            text += part
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        process.wait()
        os.close(master)
    return text.decode()


COLOURED = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-7]|9[0-7]|38;[\d;]+)m")


def test_colours_only_on_a_terminal_that_wants_them(ferlib):
    assert "\x1b[" not in ferlib("--help")[1]
    assert COLOURED.search(terminal_output(["--help"]))
    assert not COLOURED.search(terminal_output(["--help"], NO_COLOR="1"))
