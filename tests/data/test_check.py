"""The data check's numbers against counts made here, and a text that fits the screen."""

import json

import numpy as np
import pytest

from ferlib import paths
from ferlib.data import cleaning, copies, fer2013
from ferlib.data.check import check, obtain, render, search_table
from ferlib.data.check_report import REPORT_WIDTH, RULES
from ferlib.data.drawn.dataset import make_dataset, save_official
from ferlib.data.ferplus import make_data
from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.data.official import OFFICIAL_COUNTS
from ferlib.data.votes import MODES, drop_reasons, hard_labels
from ferlib.errors import FerlibError

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def data():
    """Large enough for copies and leaks of every kind, and with a leaked test image that has no majority."""
    return make_dataset(train=120, valid=30, test=40, seed=0)


@pytest.fixture(scope="module")
def folder(data, save, tmp_path_factory):
    """Folder of `data`, which no test changes."""
    return save["official zips"](data, tmp_path_factory.mktemp("check") / "data")


def quick_check(*arguments):
    """The check with the quicker one of the two searches for copies."""
    return check(*arguments, versions=(1,))


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", tmp_path_factory.mktemp("processed"))
        return check(folder)


def line_of(text: str, start: str) -> list[str]:
    """The words after `start` in the one line that begins with it."""
    (line,) = [line for line in text.split("\n") if line.startswith(start)]
    return line.removeprefix(start).split()


def test_what_was_found(report, data, folder):
    assert (report.folder, report.form, report.labels) == (str(folder), "official zips", "label.csv")
    assert report.label_files == tuple(f"FER2013{name}.label.csv" for name in ("Train", "Valid", "Test"))
    assert report.content_hash == data.content_hash
    assert not report.official
    assert report.images == {"train": 120, "valid": 30, "test": 40}


def test_counts_of_each_rule(report, data):
    assert set(report.kept) == {"label.csv"}
    for rule in RULES:
        keeps = drop_reasons(data.votes, rule) == ""
        assert report.kept["label.csv"][rule] == {name: int(keeps[data.split == name].sum()) for name in SPLITS}


def test_every_mode_is_in_the_table():
    assert {mode for names in RULES.values() for mode in names.split(", ")} == set(MODES)


def test_classes(report, data):
    labels = hard_labels(data.votes)
    for index, emotion in enumerate(EMOTIONS):
        expected = {name: int(((labels == index) & (data.split == name)).sum()) for name in SPLITS}
        assert report.classes[emotion] == expected


def test_without_the_second_label_the_text_says_how_to_add_it(report):
    assert report.meant.files == ()
    assert set(report.meant.labelled.values()) == {0}
    text = render(report)
    assert "FER2013's own labels, what a face was meant to show: none here" in text
    assert "put emotions.csv (columns image, split, emotion) into the folder, or name it in" in text


@pytest.mark.slow
def test_the_second_label(data, folder, tmp_path):
    save_official(data, tmp_path / "saved")
    report = quick_check(folder, tmp_path / "saved" / "emotions.csv")
    assert report.meant.files == ("emotions.csv",)
    assert report.meant.meant_hash == data.meant_hash
    assert report.content_hash == data.content_hash
    assert report.meant.labelled == fer2013.labelled(data)
    assert report.meant.classes == fer2013.counts(data)
    seen = hard_labels(data.votes)
    both = (seen >= 0) & (data.meant >= 0)
    equal = both & (np.take(EMOTIONS, seen) == np.take(MEANT_EMOTIONS, data.meant))
    assert report.meant.comparable == {name: int((both & (data.split == name)).sum()) for name in SPLITS}
    assert report.meant.equal == {name: int((equal & (data.split == name)).sum()) for name in SPLITS}
    pairs = {(MEANT_EMOTIONS[meant], EMOTIONS[see]): 0 for meant in range(7) for see in range(8)}
    for meant, see in zip(data.meant[both], seen[both], strict=True):
        pairs[MEANT_EMOTIONS[meant], EMOTIONS[see]] += 1
    table = report.meant.seen_by_meant
    assert {(meant, see): count for meant, row in table.items() for see, count in row.items()} == pairs
    text = render(report)
    assert line_of(text, "  images with a label") == [str(count) for count in report.meant.labelled.values()]
    assert line_of(text, "  meant as happy") == [str(count) for count in report.meant.classes["happy"].values()]
    assert (
        f"equal to the majority label of FER+: {equal.sum()} of {both.sum()} ({equal.sum() / both.sum():.1%})" in text
    )
    assert max(len(line) for line in text.split("\n")[1:]) <= REPORT_WIDTH


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("kaggle csv", "fer2013.csv"), ("class folders", "folder names")])
def test_forms_that_have_the_second_label_themselves(data, save, tmp_path, form, name):
    report = quick_check(save[form](data, tmp_path / "data"))
    assert report.meant.files == (name,)
    assert f"\n  from {name}\n" in render(report)


@pytest.mark.slow
def test_kaggles_csv_counts_the_images_that_ferplus_does_not_name(data, save, tmp_path):
    report = quick_check(save["kaggle csv"](data, tmp_path / "data"))
    unnamed = sum(report.meant.labelled.values()) - (data.meant >= 0).sum()
    assert unnamed == int(report.problems[0].split()[1]) + 1  # and one misplaced row
    assert sum(report.meant.comparable.values()) == ((data.meant >= 0) & (hard_labels(data.votes) >= 0)).sum()


@pytest.mark.slow
@pytest.mark.parametrize("version", copies.VERSIONS)
def test_copies_leaks_and_cleaning(report, data, version):
    table, counts = cleaning.build_manifest(data, version), report.searches[str(version)]
    assert counts.copies["groups"] == len(set(table.group) - {""})
    assert sum(counts.copies[kind] for kind in copies.KINDS) == (table.group != "").sum()
    assert counts.copies["disagree"] == table.disagrees.sum() > 0
    assert [[counts.leaks[row][column] for column in SPLITS] for row in SPLITS] == (
        cleaning.leak_table(table).to_numpy().tolist()
    )
    for name in ("valid", "test"):
        part = table[(table.split == name) & (table.label != "")]
        assert (counts.leaked[name]["labelled"], counts.leaked[name]["of_labelled"]) == (part.leaked.sum(), len(part))
        assert counts.leaked[name]["images"] == table.leaked[table.split == name].sum()
    assert counts.leaked["test"]["images"] > counts.leaked["test"]["labelled"] > 0
    assert sum(counts.dropped.values()) == 120 - counts.training["images"] > 0
    assert set(counts.dropped) <= {"copy within train", "also in valid", "also in test", "not a face", "blank"}
    for_training = ((table.split == "train") & table.kept).to_numpy()
    usable = drop_reasons(data.votes[for_training], "crossentropy") == ""
    assert counts.training == {"images": for_training.sum(), "with a crossentropy target": usable.sum()}
    labels = table.label[for_training]
    assert counts.training_classes == {emotion: (labels == emotion).sum() for emotion in EMOTIONS}
    assert 0 < sum(counts.training_classes.values()) <= counts.training["images"]


def test_all_reasons_occur(report):
    reasons = {"copy within train", "also in valid", "also in test", "not a face", "blank"}
    assert set(report.searches["1"].dropped) == reasons


def test_deviations_from_the_official_counts_are_told(report):
    assert report.problems == (
        "train has 120 images, but FER2013+ has 28,558",
        "valid has 30 images, but FER2013+ has 3,579",
        "test has 40 images, but FER2013+ has 3,573",
    )
    assert sum(OFFICIAL_COUNTS.values()) == 35_710


def test_it_is_json_without_numpy(report):
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["images"]["train"] == 120


def test_the_text(report):
    text = render(report)
    assert line_of(text, "  all") == ["120", "30", "40"]
    counts = [str(count) for count in report.kept["label.csv"]["crossentropy"].values()]
    assert line_of(text, "  label.csv  crossentropy, probability") == counts
    assert line_of(text, "  happy") == [str(count) for count in report.classes["happy"].values()]
    assert line_of(text, "  sum") == [str(count) for count in report.kept["label.csv"]["majority"].values()]
    for version, counts in report.searches.items():
        assert f"Copies by search {version}: {counts.copies['groups']} groups" in text
        assert f"for training remain {counts.training['images']} images" in text
    assert "not that of the official data" in text
    assert all(problem in text for problem in report.problems)


def test_the_text_fits_and_its_columns_stand_below_each_other(report):
    lines = render(report).split("\n")
    assert max(len(line) for line in lines[1:]) <= REPORT_WIDTH  # the first holds the folder as it was given
    assert all(line == line.rstrip() for line in lines)
    ends = {
        len(line) for line in lines if line.endswith("valid     test") or line.startswith(("  happy", "  label.csv "))
    }
    assert len(ends) == 1


@pytest.mark.slow
def test_both_label_files(data, save, tmp_path):
    report = quick_check(save["kaggle csv"](data, tmp_path / "data"))
    assert report.label_files[0] == "fer2013new.csv"
    assert set(report.kept) == {"label.csv", "fer2013new.csv"}
    # The repeated row of the Kaggle form is voted "not a face" ten times, so that it changes no count here.
    assert report.kept["label.csv"] == report.kept["fer2013new.csv"]
    assert report.notes[0].startswith("fer2013new.csv is counted by rows; 1 of them repeat an image name")
    assert "have no name in FER+" in " ".join(report.problems)


@pytest.mark.slow
def test_rows_and_distinct_images_are_told_apart(data, save, tmp_path):
    root = save["kaggle csv"](data, tmp_path / "data")
    path = root / "fer2013new.csv"
    stray = f"Training,{data.ids[3]}.png," + ",".join(["0"] * 9 + ["10"])
    assert path.read_text().count(stray) == 1
    path.write_text(path.read_text().replace(stray, stray.replace("0,0,0,0,0,0,0,0,0,10", "0,10,0,0,0,0,0,0,0,0")))
    report = quick_check(root)
    counts = {file: rules["majority"]["train"] for file, rules in report.kept.items()}
    assert counts["fer2013new.csv"] == counts["label.csv"] + 1
    assert f"keeps {counts['label.csv']} / " in report.notes[0]


@pytest.mark.slow
def test_names_and_images_that_do_not_match(data, save, tmp_path):
    root = save["kaggle csv"](data, tmp_path / "data", strays=False)
    save["official zips"](data, tmp_path / "zips")
    text = (root / "fer2013new.csv").read_text()
    (tmp_path / "zips" / "fer2013new.csv").write_text(text.replace(f"{data.ids[0]}.png", "fer9999999.png"))
    problems = quick_check(tmp_path / "zips").problems
    assert "1 names in fer2013new.csv have no image" in problems
    assert "1 images have no row in fer2013new.csv" in problems


@pytest.mark.slow
def test_kaggle_without_label_csv(data, save, tmp_path):
    report = quick_check(save["kaggle csv"](data, tmp_path / "data", label_files=False))
    assert report.labels == "fer2013new.csv"
    assert set(report.kept) == {"fer2013new.csv"}
    assert "the votes are those of fer2013new.csv" in report.problems[0]


@pytest.mark.slow
def test_class_folders(data, save, tmp_path):
    report = quick_check(save["class folders"](data, tmp_path / "data"))
    assert report.labels == "folder names"
    assert report.label_files == ()
    assert report.problems == ()
    assert report.notes == ("one folder a class has no taggers' votes: all ten are given to the folder's class",)
    assert "none beside the images" in render(report)
    assert "- nothing" in render(report)


@pytest.mark.slow
def test_a_split_is_missing(data, save, tmp_path):
    report = quick_check(save["class folders"](data.where(data.split != "valid"), tmp_path / "data"))
    assert report.images["valid"] == 0
    assert report.searches["1"].leaked["valid"] == {"images": 0, "of_images": 0, "labelled": 0, "of_labelled": 0}
    assert "valid  0 of 0 majority-labelled images" in render(report)
    (problem,) = report.problems
    assert problem.startswith("no images for the split valid;")


def test_nothing_to_check(tmp_path):
    with pytest.raises(FerlibError, match="holds no known form"):
        quick_check(tmp_path)


def test_data_without_copies(save, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    votes = np.array([[10] + [0] * 9] * 3, dtype=np.uint8)
    data = make_data(["a", "b", "c"], images, votes, ["train", "valid", "test"], "by hand")
    report = check(save["official folders"](data, tmp_path / "data"))
    assert list(report.searches) == ["1", "2"]
    for version, counts in report.searches.items():
        assert counts.dropped == {}
        assert counts.copies == {"exact": 0, "near": 0, "mirrored": 0, "groups": 0, "disagree": 0}
        assert f"Cleaning by search {version} drops 0 train images" in render(report)


def test_the_table_of_the_searches(report):
    table = search_table(report.to_dict())
    assert table.columns.tolist() == ["search 1", "search 2"]
    first = report.searches["1"]
    assert table.loc["groups of copies", "search 1"] == str(first.copies["groups"])
    leaked, total = (first.leaked["test"][part] for part in ("labelled", "of_labelled"))
    assert table.loc[f"leaked, test, of {total}", "search 1"] == f"{leaked} ({leaked / total:.1%})"
    left_out = table.index[table.index.str.startswith("left out of train: ")]
    for version in ("1", "2"):
        column = table[f"search {version}"]
        assert sum(map(int, column[left_out])) + int(column["left for training"]) == 120


@pytest.mark.slow
def test_counts_are_recorded_without_this_machines_folder_and_read_back(tmp_path):
    counts = obtain(tmp_path, root=paths.SAMPLE, recount=True, versions=(1,))
    assert list(counts["searches"]) == ["1"]
    assert counts["folder"] == ""
    assert counts["images"] == {"train": 200, "valid": 60, "test": 60}
    assert counts["seconds"] > 0
    assert obtain(tmp_path) == counts


def test_counts_that_are_not_there_get_a_sentence(tmp_path):
    with pytest.raises(FerlibError, match=r"no readable data_check\.json"):
        obtain(tmp_path)
