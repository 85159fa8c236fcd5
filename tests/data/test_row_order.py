"""A label file that a spreadsheet has sorted or shuffled is refused, before pictures get other pictures' votes."""

import csv
import random

import numpy as np
import pytest

from ferlib.data.label_files import Entry
from ferlib.data.labels import EMOTIONS, KAGGLE_EMOTIONS, VOTE_COLUMNS
from ferlib.data.readers import read
from ferlib.data.row_order import check_agreement, check_order
from ferlib.errors import FerlibError


def shuffle(rows):
    random.Random(0).shuffle(rows)


SORTS = {
    "shuffled": shuffle,
    "shuffled within the splits": lambda rows: (shuffle(rows), rows.sort(key=lambda row: row[0], reverse=True)),
    "by usage": lambda rows: rows.sort(key=lambda row: row[0]),
    "by name": lambda rows: rows.sort(key=lambda row: (row[1] == "", row[1])),
    "by usage and name": lambda rows: rows.sort(key=lambda row: (-ord(row[0][1]), row[1])),
    "by name downwards": lambda rows: rows.sort(key=lambda row: row[1], reverse=True),
    "by votes": lambda rows: rows.sort(key=lambda row: row[2:]),
    "by the votes for happiness": lambda rows: rows.sort(key=lambda row: int(row[3]), reverse=True),
}


@pytest.mark.parametrize("labels", ["label.csv", "fer2013new.csv"])
@pytest.mark.parametrize("how", SORTS)
def test_a_sorted_or_shuffled_file_is_refused(small, save, tmp_path, how, labels):
    save["kaggle csv"](small, tmp_path)
    path = tmp_path / "fer2013new.csv"
    with open(path, newline="") as handle:
        header, *rows = csv.reader(handle)
    SORTS[how](rows)
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    with pytest.raises(FerlibError, match=r"fer2013new\.csv has been sorted.*get the original"):
        read(tmp_path, "kaggle csv", labels)


def entries_of(emotions, names=None):
    """Rows whose ten votes all name the emotion."""
    columns = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    votes = np.eye(10, dtype=np.uint8)[[columns.index(emotion) for emotion in emotions]] * 10
    assert len(VOTE_COLUMNS) == votes.shape[1]
    return [Entry(row, f"fer{row:07d}.png", "train", votes[row]) for row in range(len(emotions))]


def pairs(count, agreement, seed=0):
    """Kaggle's codes and the rows of FER+, which agree in this share."""
    random_ = random.Random(seed)
    emotions = random_.choices(KAGGLE_EMOTIONS, k=count)
    votes = [
        emotion if random_.random() < agreement else random_.choice([e for e in EMOTIONS if e != emotion])
        for emotion in emotions
    ]
    return [str(KAGGLE_EMOTIONS.index(emotion)) for emotion in emotions], entries_of(votes)


def test_labels_that_agree_as_fer2013s_do_are_accepted():
    check_agreement(*pairs(3000, 0.68), "fer2013.csv")


@pytest.mark.parametrize("first", [0, 1500])
def test_labels_that_are_shifted_are_refused_from_the_line_on(first):
    codes, entries = pairs(3000, 0.68)
    codes = codes[:first] + codes[first + 1 :] + codes[first : first + 1]
    with pytest.raises(FerlibError, match=f"from line {first + 2} on the labels agree with the votes in [12]"):
        check_agreement(codes, entries, "fer2013.csv")


def test_a_file_without_labels_or_with_few_rows_cannot_be_compared():
    codes, entries = pairs(300, 0.0)
    check_agreement([""] * 300, entries, "fer2013.csv")
    check_agreement(codes[:40], entries[:40], "fer2013.csv")


def test_a_few_names_may_stray_as_in_the_official_file():
    entries = entries_of(["happy"] * 400)
    for row, name in ((50, 7), (120, 300), (200, 90)):
        entries[row] = Entry(row, f"fer{name:07d}.png", "train", entries[row].votes)
    check_order(entries, "fer2013new.csv")


@pytest.mark.realdata
def test_the_official_file_is_accepted(real_root):
    from ferlib.data.label_files import read_fer2013new

    check_order(read_fer2013new(real_root / "fer2013new.csv"), "fer2013new.csv")
