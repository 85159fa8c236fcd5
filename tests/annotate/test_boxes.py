import numpy as np
import pytest
from PIL import ImageColor

from ferlib.annotate import boxes as module
from ferlib.annotate.boxes import annotate
from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.errors import FerlibError


def ground(height, width):
    return np.full((height, width, 3), 120, np.uint8)


def colour(emotion):
    return list(ImageColor.getrgb(COLOURS[emotion]))


def share_of(picture, emotion):
    return float((picture == colour(emotion)).all(axis=2).mean())


def test_the_box_has_the_colour_of_its_class(make):
    picture = annotate(ground(480, 640), [make.face((100, 100, 200, 220), "sad")])
    for x, y in ((100, 160), (200, 160), (150, 220)):
        assert picture[y, x].tolist() == colour("sad")
    assert picture[160, 150].tolist() == [120] * 3  # the face itself stays visible


def test_the_input_is_not_changed_and_faces_are_optional(make):
    before = ground(300, 300)
    annotate(before, [make.face()])
    assert (before == 120).all()
    unchanged = annotate(before, [])
    assert (unchanged == before).all()
    assert not np.shares_memory(unchanged, before)


def test_a_face_with_room_beside_it_keeps_the_size(make):
    picture = annotate(ground(480, 640), [make.face((100, 100, 200, 220))])
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    beside = picture[100:220, 215:400]
    assert share_of(beside, "happy") > 0.01  # the long bar
    assert (beside < 90).all(axis=2).mean() > 0.3  # on a dark card


def test_without_bars_the_size_is_kept_and_nothing_is_beside(make):
    faces = [make.face((10 + 60 * k, 20, 50 + 60 * k, 70)) for k in range(8)]
    picture = annotate(ground(240, 520), faces, bars=False)
    assert picture.shape == (240, 520, 3)
    assert (picture[100:] == 120).all()


@pytest.mark.slow
@pytest.mark.parametrize("count", [5, 12, 40])
def test_many_faces_get_a_panel(make, count):
    faces = [
        make.face((20 + 75 * (k % 8), 20 + 90 * (k // 8), 60 + 75 * (k % 8), 70 + 90 * (k // 8)), EMOTIONS[k % 8])
        for k in range(count)
    ]
    before = ground(480, 640)
    picture = annotate(before, faces)
    assert picture.shape[1] > 640
    assert picture.shape[0] >= 480
    assert picture.shape[1] / picture.shape[0] < 3.1
    panel = picture[:, 640:]
    assert all(share_of(panel, emotion) > 0 for emotion in EMOTIONS[: min(count, 8)])


@pytest.mark.parametrize("box", [(0, 0, 30, 30), (570, 0, 640, 60), (0, 400, 60, 480), (600, 440, 640, 480)])
def test_tags_stay_inside(make, box):
    x1, y1, x2, y2 = module._tag("surprise 100 %", box, (640, 480), 14)
    assert 0 <= x1 < x2 < 640
    assert 0 <= y1 < y2 < 480
    assert annotate(ground(480, 640), [make.face(box)]).shape == (480, 640, 3)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (300, 5), (48, 48), (200, 200), (60, 3000), (3000, 4000)])
def test_every_size_can_be_drawn(make, shape):
    height, width = shape
    face = make.face((0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height))
    picture = annotate(ground(height, width), [face])
    assert max(picture.shape) >= 200
    assert share_of(picture, "happy") > 0


def test_text_grows_with_the_picture():
    sizes = [module._text_size(size) for size in ((200, 200), (640, 480), (1920, 1080), (4000, 3000))]
    assert sizes == sorted(sizes)
    assert sizes[0] >= 12
    assert 60 < sizes[-1] <= 96


def test_a_crowd_has_numbers_and_a_few_have_words(make):
    near = [make.face((20 + 45 * k, 100, 60 + 45 * k, 150)) for k in range(6)]
    texts, tags = module._numbered_tags(near, [face.box for face in near], (640, 480), 14)
    assert texts == ["1", "2", "3", "4", "5", "6"]
    assert not module._hide_each_other([face.box for face in near], tags)
    far = [near[0], make.face((400, 100, 440, 150))]
    assert module._numbered_tags(far, [face.box for face in far], (640, 480), 14)[0][1] == "2 · happy 79 %"


def test_cards_never_hide_a_face(make):
    boxes = [(60, 60, 160, 180), (500, 60, 600, 180), (300, 400, 400, 520)]
    faces = [make.face(box) for box in boxes]
    text = module._text_size((1000, 700))
    tags = module._tags(["happy 79 %"] * 3, boxes, (1000, 700), text)
    card = module.Card.of(12)
    places = module._places_beside((1000, 700), boxes, tags, card)
    assert len(places) == len(faces)
    taken = [*boxes, *tags]
    for index, place in enumerate(places):
        others = taken + places[:index]
        assert not any(module._touch(place, other) for other in others)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_labels_are_legible_on_every_class_colour(emotion):
    def luminance(rgb):
        linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(module._ink_on(COLOURS[emotion])), luminance(colour(emotion))])
    assert (high + 0.05) / (low + 0.05) >= 4.4  # WCAG 2 asks 4.5 for small text, 3 for bold


def test_a_grey_picture_is_refused():
    with pytest.raises(FerlibError):
        annotate(np.zeros((10, 10), np.uint8), [])
