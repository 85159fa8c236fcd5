import numpy as np
import pytest

from ferlib.errors import FerlibError
from ferlib.evaluation.subgroups import MIN_GROUP_IMAGES, group_scores, read_groups, render_groups


def test_groups_are_found_by_name_or_by_stem(tmp_path):
    (tmp_path / "g.csv").write_text("id,age\nx/a.png,young\nb,old\nelsewhere,old\n")
    assert read_groups(tmp_path / "g.csv", "age", np.array(["x/a.png", "y/b.jpg", "c"])).tolist() == [
        "young",
        "old",
        "",
    ]


def test_groups_are_found_by_the_names_of_ferplus(tmp_path):
    (tmp_path / "g.csv").write_text("id,age\nfer0000000.png,young\nFER2013Valid/fer0000001.png,old\n")
    groups = read_groups(tmp_path / "g.csv", "age", np.array(["fer0000000", "fer0000001", "fer0000002"]))
    assert groups.tolist() == ["young", "old", ""]


def test_a_name_that_fits_two_images_or_rows_fits_none(tmp_path):
    (tmp_path / "g.csv").write_text("id,age\na/1.png,young\nb/1.png,old\nx/2.png,young\n3.png,old\n")
    names = np.array(["c/1.png", "happy/2.png", "sad/2.png", "3"])
    assert read_groups(tmp_path / "g.csv", "age", names).tolist() == ["", "", "", "old"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,age\na,1\n", "lacks the column 'id'"),
        ("id,sex\na,1\n", "lacks the column 'age'"),
        ("id,age\na,1\na,2\n", "names 'a' twice"),
        ("id,age\nz,1\n", "names none of the images; its ids should look like 'a'"),
        ("", "cannot be read as a CSV table"),
        ('id,age\n"a,1\n', "cannot be read as a CSV table"),
    ],
)
def test_a_table_that_does_not_fit_is_explained(tmp_path, text, sentence):
    (tmp_path / "g.csv").write_text(text)
    with pytest.raises(FerlibError, match=sentence):
        read_groups(tmp_path / "g.csv", "age", np.array(["a"]))


def test_a_missing_table_is_explained(tmp_path):
    with pytest.raises(FerlibError, match="cannot be read"):
        read_groups(tmp_path / "none.csv", "age", np.array(["a"]))


def groups_case(sizes):
    """Groups of (name, n, right)."""
    names = np.repeat([name for name, _, _ in sizes], [n for _, n, _ in sizes]).astype(object)
    right = np.concatenate([np.arange(n) < r for _, n, r in sizes])
    labels = np.tile([0, 4], len(names))[: len(names)]
    return np.eye(8)[np.where(right, labels, 7)], labels, names


def test_the_gap_is_between_groups_that_are_large_enough():
    result = group_scores(*groups_case([("a", 100, 90), ("b", 100, 70), ("tiny", MIN_GROUP_IMAGES - 1, 0)]))
    assert {name: (row["n"], row["accuracy"]) for name, row in result["groups"].items()} == {
        "a": (100, 0.9), "b": (100, 0.7), "tiny": (MIN_GROUP_IMAGES - 1, 0.0),
    }  # fmt: skip
    assert (result["gap"]["best"], result["gap"]["worst"]) == ("a", "b")
    assert result["gap"]["difference"] == pytest.approx(0.2)
    low, high = result["gap"]["interval"]
    assert 0 < low < 0.2 < high
    text = render_groups(result, "age")
    assert "gap: 20.0 points between a and b" in text
    assert "too few for the gap" in text


def test_the_interval_is_that_of_the_two_named_groups():
    result = group_scores(*groups_case([(name, 50, 40 + place % 3) for place, name in enumerate("abcdefgh")]))
    low, high = result["gap"]["interval"]
    assert low < 0 < result["gap"]["difference"] < high


def test_images_without_group_or_label_are_counted_or_left_out():
    probabilities, labels, names = groups_case([("a", 40, 40), ("", 10, 5)])
    labels[:5] = -1
    result = group_scores(probabilities, labels, names)
    assert result["groups"]["a"]["n"] == 35
    assert result["without_group"] == 10
    assert "gap" not in result
    assert "10 labelled images have no group" in render_groups(result, "age")
