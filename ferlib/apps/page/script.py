"""The script that Streamlit runs for ``ferlib app``: the title at once, and below it `ferlib.apps.page.parts`."""

import streamlit as st
from PIL import Image, ImageDraw

PROMISE = (
    "Pictures stay on this machine and are forgotten when you close the page. An expression is not a feeling: "
    "please do not point this at people who have not agreed."
)
# Less empty room above the title; and the label says how large a picture may be, not how much the server would take.
STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 3.5rem; }
[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
</style>"""


def icon() -> Image.Image:
    """Draw a small smiling face; Streamlit would fetch an emoji's picture from elsewhere."""
    picture = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((2, 2, 62, 62), fill="#e69f00")
    for x in (22, 42):
        draw.ellipse((x - 4, 20, x + 4, 30), fill="#10121a")
    draw.arc((16, 18, 48, 50), 20, 160, fill="#10121a", width=5)
    return picture


def main() -> None:
    """Show the page."""
    st.set_page_config(page_title="Facial expressions", page_icon=icon(), layout="wide")
    st.html(STYLE)
    st.title("Facial expressions")
    st.caption(PROMISE)
    with st.spinner("Starting …"):  # the first visitor waits some seconds for torch
        from ferlib.apps.page.parts import show
    show()


if __name__ == "__main__":
    main()
