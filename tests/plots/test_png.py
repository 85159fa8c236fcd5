import io

import numpy as np
from PIL import Image

from ferlib.plots.png import chart_png


def test_a_chart_of_many_shades_gets_256_colours():
    chart = Image.effect_noise((200, 100), 90).convert("RGB")
    chart.paste((200, 30, 30), (0, 0, 100, 100))
    with Image.open(io.BytesIO(chart_png(chart, (96, 96)))) as stored:
        assert stored.mode == "P"
        assert [round(value) for value in stored.info["dpi"]] == [96, 96]
        error = np.abs(np.asarray(stored.convert("RGB"), int) - np.asarray(chart, int))
    assert error.max() <= 4
    assert chart_png(chart) == chart_png(chart.copy()) != chart_png(chart, (96, 96))


def test_pictures_of_many_colours_keep_them():
    rainbow = Image.merge("RGB", [Image.effect_noise((100, 100), 90) for _ in range(3)])
    with Image.open(io.BytesIO(chart_png(rainbow, max_error=0.1))) as stored:
        assert stored.mode == "RGB"
        assert np.array_equal(np.asarray(stored), np.asarray(rainbow))
    assert len(chart_png(rainbow)) < len(chart_png(rainbow, max_error=0.1))


def test_transparent_pixels_become_opaque():
    with Image.open(io.BytesIO(chart_png(Image.new("RGBA", (8, 8), (10, 20, 30, 255))))) as stored:
        assert stored.convert("RGB").getpixel((0, 0)) == (10, 20, 30)
