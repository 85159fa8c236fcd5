"""A folder's run says what it leaves out, and what is not read of a file."""

import io

import pytest
from PIL import Image

from ferlib.scoring.pictures import predict_paths
from ferlib.scoring.progress import PictureLog
from ferlib.scoring.workers import Task, score_picture

PHONE = {
    "IMG_2.HEIC": b"\0\0\0\x18ftypheic", "IMG_3.heic": b"", "sub/IMG_4.heif": b"", "IMG_5.MOV": b"",
    "IMG_6.jxl": b"", "IMG_7.DNG": b"", "IMG_8": b"\xff\xd8\xff\xe0", "notes.txt": b"text", ".DS_Store": b"x",
}  # fmt: skip


@pytest.fixture
def phone(tmp_path):
    """A phone's folder with one JPEG."""
    folder = tmp_path / "phone"
    for name, data in PHONE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    Image.new("RGB", (120, 100), "navy").save(folder / "IMG_1.jpg")
    return folder


def run(paths, pipeline, **options):
    out, err = io.StringIO(), io.StringIO()
    status = predict_paths(paths, pipeline, out=out, err=err, **options)
    return status, out.getvalue(), err.getvalue()


def test_the_last_line_says_what_was_left_out_and_why(pipeline, phone):
    status, out, err = run([phone], pipeline)
    assert status == 0
    assert out.count("IMG_") == 1
    assert err == (
        f"ferlib: left out of {phone}: 3 HEIC photos (export as JPEG), 1 JPEG XL picture (export as JPEG), "
        "1 raw file of a camera (export as JPEG), 1 video (give each alone), "
        "1 picture or video without a suffix of one (rename).\n"
    )


@pytest.mark.slow
def test_strict_makes_it_an_error(pipeline, phone):
    status, out, err = run([phone], pipeline, strict=True, remarks=False)
    assert status == 1
    assert out.count("IMG_") == 1  # all that can be read is read
    assert "3 HEIC photos" in err


def test_without_remarks_nothing_is_said(pipeline, phone):
    assert run([phone], pipeline, remarks=False)[2] == ""


def test_links_hidden_and_other_files(pipeline, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    Image.new("RGB", (120, 100)).save(folder / "a.png")
    Image.new("RGB", (120, 100)).save(folder / ".b.png")
    (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "c.png").symlink_to(folder / "a.png")
    (folder / "table.xlsx").write_bytes(b"PK")
    (folder / "a.annotated.png").write_bytes(b"")
    (folder / "rows.csv").write_text("")
    status, _, err = run([folder], pipeline)
    assert status == 0
    for part in (
        "1 link to a folder",
        "1 hidden picture",
        "1 link to a picture that is read",
        "1 picture drawn by ferlib",
        "1 file of another kind",
    ):
        assert part in err


def test_what_shows_no_face_is_no_error_when_strict(pipeline, tmp_path):
    Image.new("RGB", (120, 100)).save(tmp_path / "a.png")
    (tmp_path / "a.annotated.png").write_bytes(b"")
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    assert run([tmp_path], pipeline, strict=True)[0] == 0


def test_a_folder_of_nothing_else_says_what_lies_there(pipeline, phone):
    (phone / "IMG_1.jpg").unlink()
    status, _, err = run([phone], pipeline)
    assert status == 1
    assert "holds no pictures (3 HEIC photos (export as JPEG)" in err
    assert err.count("HEIC") == 1


def test_an_animation_is_told_also_by_a_run_that_goes_on(pipeline, photo, tmp_path):
    first, second = Image.fromarray(photo), Image.new("RGB", (220, 240))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    sentence = f"ferlib: {tmp_path / 'a.gif'} has several frames; only the first one is read.\n"
    assert run([tmp_path / "a.gif"], pipeline)[::2] == (0, sentence)
    log = PictureLog(tmp_path / "out.csv", pipeline)
    log.add(score_picture(Task(tmp_path / "a.gif"), photo, pipeline, ["a note"]))
    log.close(finished=False)
    assert run([tmp_path / "a.gif"], pipeline, csv=tmp_path / "out.csv")[::2] == (0, "ferlib: a note\n")


@pytest.mark.slow
def test_control_characters_of_names_never_reach_the_terminal(pipeline, tmp_path):
    for name in ("a\x1b]0;owned\x07\nferlib: fine.png", "b\x9b2J.png"):
        Image.new("RGB", (120, 100)).save(tmp_path / name)
        (tmp_path / f"bad {name}").write_bytes(b"no picture")
    status, out, err = run([tmp_path], pipeline)
    assert status == 1
    assert not set(out + err) & {"\x1b", "\x07", "\x9b"}
    assert "\\x1b]0;owned\\x07\\nferlib: fine.png" in out
    assert err.count("\n") == 2


def test_a_name_that_is_no_text_leaves_the_table_readable(pipeline, photo, tmp_path):
    path = tmp_path / "caf\udce9.png"
    try:
        Image.fromarray(photo).save(path)
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system takes text names alone")
    target = tmp_path / "out.csv"
    assert run([path], pipeline, csv=target)[0] == 0
    assert "caf\\xe9.png" in target.read_text(encoding="utf-8")
