import pytest

from ferlib.errors import FerlibError
from ferlib.notebooks.parameters import check_count, check_share, demo_source


@pytest.mark.parametrize("value", [0, 1, -0.1, 10, float("nan"), "0.1", None])
def test_a_share_lies_between_0_and_1(value):
    check_share("RISK", 0.1)
    with pytest.raises(FerlibError, match=r"RISK = .* is no share; set it to a number above 0 and below 1"):
        check_share("RISK", value)


@pytest.mark.parametrize("value", [0, -1, 1.5, "30", True, None])
def test_a_count_is_a_whole_number(value):
    check_count("IMAGES", 1)
    check_count("SEED", 0, minimum=0)
    with pytest.raises(FerlibError, match=r"IMAGES = .* does not work; set it to a whole number from 1 on"):
        check_count("IMAGES", value)


def test_a_source_is_a_camera_a_file_or_none(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert [demo_source(source) for source in ("browser", "device", 1, str(clip), "none")] == [
        "browser", "device", 1, str(clip), None,
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["browsr", "gone.mp4", None, True, 1.5])
def test_another_source_is_an_error(source):
    with pytest.raises(FerlibError, match=r"SOURCE = .* is no source of pictures; choose 'browser', 'device'"):
        demo_source(source)
