"""The browser's half of the place to drop files on: in Chromium, with a kernel that does what the test says."""

import time

import pytest
from browser import MARKS, expect
from chromium import PATIENCE, chromium

from ferlib.apps.jupyter.camera import asset

pytestmark = MARKS
PAGE = "<!doctype html><meta charset=utf-8><body><div id=root></div></body>"
BUSY = "The kernel does not answer yet. If it was restarted, run the cell again."
TRAITS = {"prompt": "Drop photos here", "accept": "", "multiple": True, "limit": 3_000_000}
# A kernel in the page: asks for the rest of a file, and then says `sentences[name]`; `mute` says nothing.
KERNEL = """async ([module, traits]) => {
  const {default: widget} = await import(URL.createObjectURL(new Blob([module], {type: 'text/javascript'})));
  window.model = {
    listeners: {}, sent: [], mute: false, sentences: {}, get: name => traits[name],
    on(event, call) { (this.listeners[event] ??= []).push(call); },
    off(event, call) { this.listeners[event] = (this.listeners[event] || []).filter(one => one !== call); },
    tell(event, ...about) { this.listeners[event].forEach(call => call(...about)); },
    send(content, _, [bytes]) {
      this.sent.push([content.name, content.offset, bytes.byteLength]);
      const offset = content.offset + bytes.byteLength;
      const sentence = this.sentences[content.name] || `${content.name} was read.`;
      const reply = offset < content.size ? {type: 'more', offset} : {type: 'done', sentence};
      if (!this.mute) setTimeout(() => this.tell('msg:custom', {id: content.id, ...reply}), 5);
    },
  };
  window.cleanup = widget.render({model: window.model, el: document.getElementById('root')});
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def zone(browser):
    page = browser.new_page()
    page.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.clock.install()
    page.goto("http://localhost/")
    page.evaluate(KERNEL, [asset("upload.js"), TRAITS])
    yield page
    page.close()


def drop(page, **files):
    page.set_input_files("input", [
        {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": b"x" * size} for name, size in files.items()
    ])  # fmt: skip


def sentences(page):
    return page.locator(".ferlib-drop-status div")


def run_until(page, expected):
    """Let the page's clock run until these are the sentences: the kernel in the page answers after 5 ms of it."""
    deadline = time.monotonic() + PATIENCE
    while sentences(page).all_text_contents() != expected and time.monotonic() < deadline:
        page.clock.run_for(20)
    expect(sentences(page)).to_have_text(expected)


def test_every_file_keeps_its_sentence(zone):
    zone.evaluate("() => { model.sentences['b.jpg'] = 'b.jpg is damaged.'; }")
    drop(zone, a=10, b=20, none=0, large=3_000_001, c=30)
    run_until(zone, [
        "none.jpg is empty (0 bytes); copy or download it again.",
        "large.jpg has 3.0 MB, and 3.0 MB is the most that goes through the browser; put it beside the notebook and "
        "give its path as SOURCE.",
        "a.jpg was read.",
        "b.jpg is damaged.",
        "c.jpg was read.",
    ])  # fmt: skip
    drop(zone, d=10)
    run_until(zone, ["d.jpg was read."])


def test_a_large_file_goes_in_pieces(zone):
    drop(zone, a=2_500_000)
    run_until(zone, ["a.jpg was read."])
    assert zone.evaluate("() => model.sent") == [
        ["a.jpg", 0, 1 << 20], ["a.jpg", 1 << 20, 1 << 20], ["a.jpg", 2 << 20, 2_500_000 - (2 << 20)],
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["silence", "restart"])
def test_a_kernel_that_is_gone_is_named_and_the_next_file_is_sent(zone, how):
    zone.evaluate("() => { model.mute = true; }")
    drop(zone, a=10, b=10)
    expect(sentences(zone)).to_have_text(["a.jpg: 100 % sent"])
    if how == "silence":
        zone.clock.run_for(31_000)
        expect(sentences(zone)).to_have_text([BUSY])
    else:
        zone.evaluate("() => model.tell('comm_live_update')")
        expect(sentences(zone)).to_have_text(["The kernel went away. Run the cell again."])
    zone.evaluate("() => { model.mute = false; }")
    drop(zone, c=10)
    run_until(zone, ["c.jpg was read."])


def test_a_late_answer_still_counts(zone):
    zone.evaluate("() => { model.mute = true; }")
    drop(zone, a=10, b=10)
    expect(sentences(zone)).to_have_text(["a.jpg: 100 % sent"])
    zone.clock.run_for(31_000)
    expect(sentences(zone)).to_have_text([BUSY])
    zone.evaluate("""() => {
      model.mute = false;
      model.tell('msg:custom', {id: 1, type: 'done', sentence: 'a.jpg was read.'});
    }""")
    run_until(zone, ["a.jpg was read.", "b.jpg was read."])


def test_a_view_that_is_gone_listens_no_more(zone):
    zone.evaluate("() => window.cleanup()")
    assert zone.evaluate("() => Object.values(model.listeners).flat().length") == 0
