"""The README's picture of the live demo, from the screenshots of the browser test, light beside dark.

::

    FERLIB_SCREENSHOTS=DIR python -m pytest tests/apps/test_browser_camera.py
    python tools/draw_live_demo.py DIR
"""

import sys
from pathlib import Path

from PIL import Image

from ferlib import paths
from ferlib.files import atomic_path

PART = (8, 144, 1172, 1040)  # left, top, right, bottom of the demo on the page, pixels
COLOURS = 256  # of the picture; screenshots need no more, and a third of the bytes holds them


def main(folder: str) -> None:
    """Draw ``figures/05_live_demo.png``.

    Args:
        folder: the screenshots.
    """
    shots = [Image.open(Path(folder, f"05_voila_{theme}.png")).convert("RGB").crop(PART) for theme in ("light", "dark")]
    figure = Image.new("RGB", (2 * shots[0].width, shots[0].height))
    for index, shot in enumerate(shots):
        figure.paste(shot, (index * shot.width, 0))
    target = paths.FIGURES / "05_live_demo.png"
    with atomic_path(target) as temporary:
        figure.quantize(COLOURS).save(temporary, optimize=True)
    sys.stdout.write(f"written: {paths.relative(target)}, {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
