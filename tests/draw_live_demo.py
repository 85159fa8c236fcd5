"""Draws figures/05_live_demo.png: the camera's view in Chromium, light and dark, answered by the shipped model.

Browser and widget talk without Jupyter between them. Run it again when the view or the model has changed:
``python tests/draw_live_demo.py``.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

from chromium import CAMERA_FLAGS, chromium
from PIL import Image

from ferlib import load_pipeline, paths
from ferlib.files import atomic_path
from ferlib.live.camera import SCRIPTS, CameraWidget, asset
from ferlib.live.frames import encode_jpeg
from ferlib.live.samples import moving_clip
from ferlib.live.session import LiveSession, LiveSettings

SECONDS = 14
DARK = {
    "ui-font-color1": "#e6e8eb", "ui-font-color2": "#a9afb8", "border-color2": "#41464e", "layout-color1": "#1d2025",
    "layout-color2": "#2b2f36", "brand-color1": "#2196f3",
}  # fmt: skip
CONNECT = """async ([module, traits]) => {
  const url = URL.createObjectURL(new Blob([module], {type: 'text/javascript'}));
  const {default: widget} = await import(url);
  const calls = [];
  const model = {
    get: name => traits[name], set: (name, value) => { traits[name] = value; }, save_changes() {}, off() {},
    on: (event, call) => event === 'msg:custom' && calls.push(call),
    async send(content, _, buffers) {
      const bytes = buffers ? btoa(String.fromCharCode(...new Uint8Array(buffers[0]))) : '';
      for (const reply of await window.ask(content, bytes)) calls.forEach(call => call(reply, []));
    },
  };
  widget.render({model, el: document.body});
}"""


def shoot(browser, dark: bool) -> Image.Image:
    """The view after a few seconds of a clip in which one face stays and one comes and goes."""
    widget = CameraWidget(LiveSession(load_pipeline(), LiveSettings(threshold=0.5)), mirror=False)
    replies: list[dict] = []
    widget.send = lambda content, buffers=None: replies.append(content)

    def ask(content: dict, data: str) -> list[dict]:
        replies.clear()
        widget._handle_custom_msg(content, [memoryview(base64.b64decode(data))] if data else [])
        return list(replies)

    style = "".join(f"--jp-{name}: {value};" for name, value in (DARK if dark else {}).items())
    ground = DARK["layout-color1"] if dark else "#ffffff"
    html = f"<!doctype html><meta charset=utf-8><style>{asset('camera.css')}</style>"
    html += f"<body style='margin: 0; padding: 14px; width: 872px; background: {ground}; {style}'></body>"
    page = browser.new_page(viewport={"width": 900, "height": 640}, device_scale_factor=1.25)
    page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.expose_function("ask", ask)
    page.goto("http://localhost/")
    traits = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    page.evaluate(CONNECT, [asset(*SCRIPTS), {key: value for key, value in traits.items() if key != "layout"}])
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_timeout(1000 * SECONDS)
    page.get_by_role("button", name="Freeze", exact=True).click()
    page.locator(".ferlib-still").wait_for()  # the frame that the boxes belong to
    page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    page.close()
    widget.close()
    return picture


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        clip = Path(scratch) / "clip.mjpeg"
        clip.write_bytes(b"".join(encode_jpeg(frame, quality=92) for frame in moving_clip(6, 25)))
        with chromium(*CAMERA_FLAGS, f"--use-file-for-fake-video-capture={clip}") as browser:
            shots = [shoot(browser, dark) for dark in (False, True)]
    height = max(shot.height for shot in shots)
    whole = Image.new("RGB", (sum(shot.width for shot in shots), height), "white")
    whole.paste(shots[0], (0, 0))
    whole.paste(shots[1], (shots[0].width, 0))
    target = paths.FIGURES / "05_live_demo.png"
    with atomic_path(target) as temporary:
        whole.save(temporary, optimize=True)
    sys.stdout.write(f"written: {paths.relative(target)}, {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
