import csv
import errno
import io
import json
import os
import sys

import numpy as np
import pytest
from picture_files import STORED, noise, png_header, save_oriented
from PIL import Image

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.faces.detector import FaceDetector
from ferlib.pipeline import EmotionPipeline
from ferlib.scoring import pictures, tables
from ferlib.scoring.pictures import predict_paths
from ferlib.scoring.tables import CSV_COLUMNS
from ferlib.scoring.workers import ThreadWorkers


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def face_file(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path


@pytest.fixture
def plain_file(tmp_path):
    path = tmp_path / "plain.png"
    Image.new("RGB", (120, 100), "navy").save(path)
    return path


def run(paths, pipeline, **options):
    out, err = io.StringIO(), options.pop("err", None) or io.StringIO()
    status = predict_paths(paths, pipeline, out=out, err=err, **options)
    return status, out.getvalue(), err.getvalue()


def lines_of(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_table(pipeline, face_file):
    status, out, err = run([face_file], pipeline)
    assert (status, err) == (0, "")
    heading, columns, row, *rest = out.splitlines()
    assert heading == f"{face_file}  220 x 240, 1 face"
    assert columns.split() == ["face", "emotion", "confidence", "detection", "box", "x1,", "y1,", "x2,", "y2"]
    assert row.split()[:4] == ["1", "angry", "72.0", "%"]
    bars = [line.split() for line in rest if line]
    assert [bar[0] for bar in bars] == list(EMOTIONS)
    assert len(bars[0][3]) == round(0.72 * 24)


def test_several_faces_have_no_bars(pipeline, photo, tmp_path):
    path = tmp_path / "two.png"
    Image.fromarray(np.hstack([photo, photo])).save(path)
    _, out, _ = run([path], pipeline)
    assert "2 faces" in out
    assert "█" not in out
    assert "contempt" in out


def test_no_face(pipeline, plain_file):
    status, out, _ = run([plain_file], pipeline)
    assert status == 0
    assert out == f"{plain_file}  120 x 100, no face found\n\n"


def test_json_lines(pipeline, face_file, plain_file):
    status, out, err = run([face_file, plain_file], pipeline, as_json=True)
    assert (status, err) == (0, "")
    first, second = lines_of(out)
    assert list(first) == ["source", "width", "height", "faces"]
    assert (first["source"], first["width"], first["height"]) == (str(face_file), 220, 240)
    (face,) = first["faces"]
    assert set(face) == {"box", "detection_confidence", "landmarks", "emotion", "confidence", "sure", "probabilities"}
    assert second["faces"] == []


def test_csv_has_one_row_a_face(pipeline, face_file, plain_file, tmp_path):
    target = tmp_path / "new folder" / "faces.csv"
    assert run([face_file, plain_file], pipeline, csv=target)[0] == 0
    header, *rows = csv.reader(target.read_text(encoding="utf-8").splitlines())
    assert tuple(header) == CSV_COLUMNS
    (row,) = rows
    assert row[:2] == [str(face_file), "1"]
    assert row[7:10] == ["angry", "0.72", "1"]
    assert sum(map(float, row[10:])) == pytest.approx(1)


def test_folder_in_order_with_each_picture_once(pipeline, face_file, plain_file, tmp_path):
    _, out, _ = run([plain_file, tmp_path, face_file], pipeline, as_json=True)
    assert [line["source"] for line in lines_of(out)] == [str(plain_file), str(face_file)]


def test_annotated_pictures(pipeline, face_file, tmp_path):
    folder = tmp_path / "drawn"
    assert run([face_file], pipeline, annotate_dir=folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["photo.annotated.png"]
    with Image.open(folder / "photo.annotated.png") as image:
        assert image.format == "PNG"
        assert image.width >= 220


def test_equal_stems_do_not_overwrite_each_other(pipeline, tmp_path):
    names = ["a/x.png", "b/x.png", "b/X.jpg", "x-2.png", "x.annotated.png"]
    for index, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 60), (index, 0, 0)).save(tmp_path / name)
    status, _, _ = run([tmp_path / name for name in names], pipeline, annotate_dir=tmp_path)
    assert status == 0
    drawn = sorted(path.name for path in tmp_path.glob("*.annotated*.png"))
    assert len(drawn) == 6  # five drawn, and the fifth picture itself, which no target may replace
    assert np.asarray(Image.open(tmp_path / "x.annotated.png"))[0, 0, 0] == 4


def test_an_unreadable_file_among_good_ones(pipeline, face_file, plain_file, tmp_path):
    broken, missing = tmp_path / "broken.jpg", tmp_path / "missing.jpg"
    broken.write_bytes(b"no picture")
    target = tmp_path / "faces.csv"
    status, out, err = run([missing, broken, face_file, plain_file], pipeline, as_json=True, csv=target)
    assert status == 1
    assert [line["source"] for line in lines_of(out)] == [str(face_file), str(plain_file)]
    assert len(target.read_text().splitlines()) == 2
    messages = err.splitlines()
    assert len(messages) == 2
    assert messages[0].startswith(f"ferlib: {missing} does not exist")
    assert messages[1].startswith(f"ferlib: {broken} is not a picture")


def bad_files(folder):
    """Name -> what the sentence says; made in `folder`."""
    photo = io.BytesIO()
    Image.fromarray(noise(80, 80)).save(photo, "JPEG")
    (folder / "empty folder").mkdir()
    (folder / "zero.jpg").touch()
    (folder / "half.jpg").write_bytes(photo.getvalue()[: len(photo.getvalue()) // 2])
    (folder / "text.png").write_text("text")
    png_header(folder / "bomb.png", 30_000, 30_000)
    return {
        "missing.jpg": "does not exist",
        "empty folder": "no pictures",
        "zero.jpg": "0 bytes",
        "half.jpg": "cut short",
        "text.png": "not a picture",
        "bomb.png": "megapixels",
    }


def test_each_bad_input_is_one_sentence_and_status_1(pipeline, tmp_path):
    for name, sentence in bad_files(tmp_path).items():
        status, out, err = run([tmp_path / name], pipeline, as_json=True)
        assert (status, out) == (1, ""), name
        assert err.startswith("ferlib: ")
        assert err.endswith(".\n")
        assert err.count("\n") == 1
        assert str(tmp_path / name) in err
        assert sentence in err


def converted(photo, mode):
    image = Image.fromarray(photo)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return image.quantize(256)
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_the_face_is_found_in_every_mode(pipeline, photo, tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    converted(photo, mode).save(path)
    status, out, _ = run([path], pipeline, as_json=True)
    (line,) = lines_of(out)
    assert status == 0
    assert len(line["faces"]) == 1


def test_the_face_is_found_in_an_animation(pipeline, photo, tmp_path):
    frames = [Image.fromarray(photo), Image.new("RGB", (220, 240))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    _, out, _ = run([tmp_path / "a.gif"], pipeline, as_json=True)
    assert len(lines_of(out)[0]["faces"]) == 1


@pytest.mark.parametrize("size", [(1, 1), (20000, 20)])
def test_extreme_pictures_have_no_face(pipeline, tmp_path, size):
    Image.new("RGB", size, "white").save(tmp_path / "a.png")
    status, out, _ = run([tmp_path / "a.png"], pipeline, as_json=True, annotate_dir=tmp_path / "drawn")
    assert status == 0
    (line,) = lines_of(out)
    assert (line["width"], line["height"], line["faces"]) == (*size, [])


def test_all_orientations_give_the_same_upright_box(pipeline, photo, tmp_path):
    paths = [save_oriented(tmp_path / f"{k}.jpg", photo, k, quality=95) for k in STORED]
    _, out, _ = run(paths, pipeline, as_json=True)
    lines = lines_of(out)
    assert {(line["width"], line["height"]) for line in lines} == {(220, 240)}
    boxes = np.array([line["faces"][0]["box"] for line in lines])
    assert boxes.shape == (8, 4)
    assert np.ptp(boxes, axis=0).max() < 3


def test_odd_names(pipeline, photo, tmp_path):
    path = tmp_path / "tvář 顔 😀 .png"
    Image.fromarray(photo).save(path)
    target = tmp_path / "ä b.csv"
    status, out, _ = run([path], pipeline, as_json=True, csv=target, annotate_dir=tmp_path / "ö")
    assert status == 0
    assert lines_of(out)[0]["source"] == str(path)
    assert str(path) in target.read_text(encoding="utf-8")
    assert (tmp_path / "ö" / "tvář 顔 😀 .annotated.png").is_file()


def test_an_ascii_terminal_gets_escapes_and_plain_bars(pipeline, photo, tmp_path):
    path = tmp_path / "tvář.png"
    Image.fromarray(photo).save(path)
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    assert predict_paths([path], pipeline, out=out, err=io.StringIO()) == 0
    text = raw.getvalue().decode("ascii")
    assert "tv\\xe1\\u0159.png" in text
    assert "########" in text


def test_a_failing_write_leaves_the_old_picture(pipeline, face_file, plain_file, tmp_path, monkeypatch):
    folder = tmp_path / "drawn"
    folder.mkdir()
    old = folder / "photo.annotated.png"
    old.write_bytes(b"old")

    def fail_on_full_disk(self, target, **options):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pictures.Image.Image, "save", fail_on_full_disk)
    status, out, err = run([face_file, plain_file], pipeline, annotate_dir=folder)
    assert status == 1
    assert old.read_bytes() == b"old"
    assert [path.name for path in folder.iterdir()] == ["photo.annotated.png"]
    assert "No space left" in err
    assert str(plain_file) in out  # the others are still done


def test_a_failing_csv_leaves_the_old_file(pipeline, face_file, tmp_path, monkeypatch):
    target = tmp_path / "faces.csv"
    target.write_text("old")

    def fail_on_full_disk(handle):
        handle.write("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tables, "csv_writer", fail_on_full_disk)
    status, out, err = run([face_file], pipeline, csv=target)
    assert status == 1
    assert target.read_text() == "old"
    left = ["faces.csv", "faces.csv.part.jsonl", "photo.png"]  # the next run only has to write the table
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    assert "faces.csv" in err
    assert "1 face" in out


def test_progress_is_shown_on_a_terminal_only(pipeline, face_file, plain_file):
    paths = [face_file, plain_file]
    assert "picture" in run(paths, pipeline, err=Terminal())[2]
    assert run(paths, pipeline)[2] == ""
    assert run(paths, pipeline, err=Terminal(), progress=False)[2] == ""
    assert run([face_file], pipeline, err=Terminal())[2] == ""


def test_a_closed_pipe_ends_the_run(pipeline, face_file, plain_file):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        predict_paths([face_file, plain_file], pipeline, out=Closed(), err=io.StringIO())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"csv": "photo.png"}, "is one of the pictures"),
        ({"csv": "."}, "is a folder; name a file"),
        ({"annotate_dir": "photo.png"}, "is a file; name a folder"),
    ],
)
def test_impossible_outputs_are_refused_before_any_work(pipeline, face_file, monkeypatch, options, sentence):
    monkeypatch.chdir(face_file.parent)
    before = face_file.read_bytes()
    with pytest.raises(FerlibError, match=sentence):
        run([face_file], pipeline, **options)
    assert face_file.read_bytes() == before


def test_a_reader_that_goes_away_does_not_cost_the_table(pipeline, face_file, plain_file, tmp_path):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        predict_paths([face_file, plain_file], pipeline, csv=tmp_path / "out.csv", out=Closed(), err=io.StringIO())
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2


def test_people_are_told_not_sure_and_the_guess_stays_in_the_data(detector, make, face_file, tmp_path):
    classifier = make.classifier()
    classifier.threshold = 0.9
    pipeline = EmotionPipeline(detector, classifier)
    _, out, _ = run([face_file], pipeline, csv=tmp_path / "faces.csv")
    assert "not sure" in out
    row = next(csv.DictReader((tmp_path / "faces.csv").open()))
    assert (row["emotion"], row["sure"]) == ("angry", "0")


class Interrupted(io.StringIO):
    """Ctrl-C comes after so many lines of JSON."""

    def __init__(self, lines):
        super().__init__()
        self.left = lines

    def flush(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path, photo):
    inside = tmp_path / "pictures"
    inside.mkdir()
    for index in range(4):
        Image.fromarray(np.roll(photo, index, axis=1)).save(inside / f"{index}.png")
    return inside


def test_an_interrupted_folder_goes_on_where_it_stopped(pipeline, folder, tmp_path):
    target, drawn = tmp_path / "faces.csv", tmp_path / "drawn"
    with pytest.raises(KeyboardInterrupt):
        predict_paths([folder], pipeline, csv=target, as_json=True, out=Interrupted(2), err=io.StringIO())
    assert len(target.read_text().splitlines()) == 3  # what was done is there
    before = len(pipeline.classifier.batches)
    status, out, err = run([folder], pipeline, csv=target, as_json=True, annotate_dir=drawn)
    assert (status, err) == (0, "")
    assert len(pipeline.classifier.batches) - before == 2  # the other two
    assert [line["source"] for line in lines_of(out)] == [str(folder / f"{index}.png") for index in range(4)]
    assert len(list(drawn.iterdir())) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn", "faces.csv", "pictures"]
    at_once = tmp_path / "at_once.csv"
    run([folder], pipeline, csv=at_once)
    assert target.read_text() == at_once.read_text()


def test_workers_change_neither_rows_nor_their_order(pipeline, folder, tmp_path, make):
    parquet = pytest.importorskip("pyarrow.parquet")
    alone = run([folder], pipeline, csv=tmp_path / "one.csv")
    workers = ThreadWorkers([EmotionPipeline(FaceDetector(), make.classifier()) for _ in range(2)])
    both = {"csv": tmp_path / "two.csv", "parquet": tmp_path / "two.parquet"}
    assert run([folder], pipeline, workers=workers, **both) == alone
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert parquet.read_table(tmp_path / "two.parquet").num_rows == 4


def test_parquet_without_pyarrow_is_refused_before_any_work(pipeline, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FerlibError, match="Parquet needs the package pyarrow"):
        run([folder], pipeline, parquet=tmp_path / "a.parquet")
    assert pipeline.classifier.batches == []


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_nothing_to_read_leaves_an_old_table_alone(pipeline, tmp_path, kind):
    folder, table = tmp_path / "folder", tmp_path / "rows.csv"
    table.write_text("old rows")
    if kind == "empty":
        folder.mkdir()
    status, _, err = run([folder], pipeline, csv=table)
    assert (status, len(err.splitlines())) == (1, 1)
    assert table.read_text() == "old rows"


def test_a_folder_that_cannot_be_read_is_one_sentence_and_the_rest_is_done(pipeline, plain_file, monkeypatch):
    walk = os.walk

    def refusing(path, onerror):
        onerror(PermissionError(errno.EACCES, "Permission denied", f"{path}/private"))
        return walk(path)

    monkeypatch.setattr(os, "walk", refusing)
    status, out, err = run([plain_file.parent], pipeline)
    assert status == 1
    assert "no face found" in out
    assert err.count("private cannot be read") == 1
