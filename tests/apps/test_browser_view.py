"""The browser's half of the live demo alone: in Chromium, with a kernel that does what the test says."""

import json
import re
import time

import pytest
from browser import MARKS, expect
from chromium import CAMERA_FLAGS, PATIENCE, camera_clip, chromium

from ferlib.apps.jupyter.camera import SCRIPTS, asset
from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.live.timing import BROWSER_STAGES, KERNEL_STAGES

pytestmark = MARKS
PAGE = "<!doctype html><meta charset=utf-8><style>{css}</style><body><div id=root></div><div id=other></div></body>"
TRAITS = {
    "mode": "browser", "width": 640, "height": 480, "sizes": [[320, 240], [640, 480]], "longest_side": 1280,
    "mirror": True, "quality": 0.8, "in_flight": 2, "answer_seconds": 1.0, "lost_answers": 2,
    "emotions": list(EMOTIONS), "colours": [COLOURS[name] for name in EMOTIONS],
    "stages": [*KERNEL_STAGES, *BROWSER_STAGES],
}  # fmt: skip
FACE = {
    "track": 1, "box": [200, 100, 400, 360], "landmarks": [[260, 180], [340, 180], [300, 240], [270, 300], [330, 300]],
    "emotion": "happy", "confidence": 0.93, "sure": True, "label": "happy 93 %",
    "probabilities": [0.01] * 4 + [0.93] + [0.01] * 3,
}  # fmt: skip
ANSWER = {"width": 640, "height": 480, "faces": [FACE], "error": None, "ms": {"kernel": 20}}
# A kernel in the page: answers after `delay` ms; `mute` answers nothing; `worst` is the most that was under way.
KERNEL = """async ([module, traits, answer, place]) => {
  const url = URL.createObjectURL(new Blob([module], {type: 'text/javascript'}));
  const {default: widget} = await import(url);
  const model = {
    values: {...traits}, listeners: {}, sent: [], sizes: [], delay: 20, mute: false, answer, underWay: 0, worst: 0,
    bytes: 0, get(name) { return this.values[name]; }, set(name, value) { this.values[name] = value; },
    save_changes() {},
    on(event, call) { (this.listeners[event] ??= []).push(call); },
    off(event, call) { this.listeners[event] = (this.listeners[event] || []).filter(one => one !== call); },
    tell(message, buffers = []) { this.listeners['msg:custom'].forEach(call => call(message, buffers)); },
    send(content, _, buffers) {
      this.sent.push(content);
      if (content.type !== 'frame') return;
      if (buffers) this.bytes += buffers[0].byteLength;
      this.worst = Math.max(this.worst, ++this.underWay);
      if (this.mute) return;
      setTimeout(() => {
        this.underWay -= 1;
        const picture = this.picture ? [this.picture] : [];
        this.tell({type: 'answer', id: content.id, end: Boolean(this.end), summary: null,
                   answer: {...this.answer, time: content.time}}, picture);
      }, this.delay);
    },
  };
  window.models = [...(window.models || []), model];
  window.cleanups = [...(window.cleanups || []), widget.render({model, el: document.getElementById(place)})];
}"""
LOOK = """index => {
  const live = document.querySelectorAll('.ferlib-live')[index];
  const video = live.querySelector('video');
  if (video.srcObject) (window.tracks ??= {})[index] = video.srcObject.getTracks()[0];
  const model = window.models[index];
  return {
    state: live.dataset.state, answers: Number(live.dataset.answers || 0),
    notice: live.querySelector('.ferlib-notice').textContent,
    message: live.querySelector('.ferlib-message').textContent, sent: model.sent.map(one => one.type),
    worst: model.worst, bytes: model.bytes, trip: Number(live.dataset.roundTrip || 0),
    width: video.videoWidth, track: window.tracks && window.tracks[index] ? window.tracks[index].readyState : null,
    cards: [...live.querySelectorAll('.ferlib-card-label')].map(one => one.textContent),
    height: live.getBoundingClientRect().height,
  };
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    clip = camera_clip(tmp_path_factory.mktemp("camera") / "clip.mjpeg", frames=20)
    with chromium(*CAMERA_FLAGS, f"--use-file-for-fake-video-capture={clip}") as running:
        yield running


class View:
    """One page with one or two widgets."""

    def __init__(self, browser, script="", host="localhost"):
        self.page = browser.new_page(viewport={"width": 1000, "height": 900})
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.route(
            "**/*", lambda route: route.fulfill(body=PAGE.format(css=asset("camera.css")), content_type="text/html")
        )
        if script:
            self.page.add_init_script(script)
        self.page.goto(f"http://{host}/")

    def open(self, place="root", answer=ANSWER, **traits):
        self.page.evaluate(KERNEL, [asset(*SCRIPTS), TRAITS | traits, answer, place])
        return self

    def press(self, name, index=0):
        self.page.locator(".ferlib-live").nth(index).get_by_role("button", name=name, exact=True).click()
        return self

    def kernel(self, script, index=0):
        self.page.evaluate(f"index => {{ const model = window.models[index]; {script} }}", index)
        return self

    def look(self, index=0):
        return self.page.evaluate(LOOK, index)

    def until(self, ready=lambda seen: True, index=0, seconds=PATIENCE, **expected):
        """What is seen at one moment at which `ready` holds and these values are as expected."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.look(index)
            if all(seen[name] == value for name, value in expected.items()) and ready(seen):
                return seen
            assert time.monotonic() < deadline, seen
            self.page.wait_for_timeout(50)

    def running(self, index=0, **expected):
        return self.until(lambda seen: seen["answers"] >= 5, index, state="on", **expected)


@pytest.fixture
def view(browser):
    opened = []

    def make(*arguments, **options):
        opened.append(View(browser, *arguments, **options))
        return opened[-1]

    yield make
    for opened_view in opened:
        opened_view.page.close()


def test_nothing_is_sent_before_start_and_nothing_after_stop(view):
    live = view().open()
    live.page.wait_for_timeout(300)
    assert live.look()["sent"] == []
    live.press("Start").running()
    live.press("Stop")
    stopped = live.until(state="off", track="ended")
    live.page.wait_for_timeout(500)
    sent = live.look()["sent"]
    assert sent.count("frame") == stopped["sent"].count("frame")
    assert (sent[0], sent.count("stop")) == ("start", 1)


@pytest.mark.parametrize("most", [1, 3])
def test_never_more_frames_in_flight_than_allowed(view, most):
    live = view().open(in_flight=most)
    live.kernel("model.delay = 300;").press("Start")
    reached = live.until(lambda seen: seen["answers"] >= 6 and seen["trip"] < 300 * most + 250, worst=most)
    seen = live.until(lambda seen: seen["answers"] >= reached["answers"] + 4)
    assert seen["worst"] == most
    assert seen["bytes"] > 10_000


def test_a_kernel_that_is_the_slower_part_gets_one_frame_at_a_time(view):
    live = view().open(in_flight=3, answer=ANSWER | {"ms": {"kernel": 10_000}})
    live.kernel("model.delay = 100;").press("Start")
    assert live.until(lambda seen: seen["answers"] >= 20)["worst"] == 1


def test_a_slow_kernel_is_named_and_does_not_stop_the_stream(view):
    live = view().open(answer=ANSWER | {"ms": {"kernel": 400}}).press("Start")
    live.until(lambda seen: "The kernel is slow (400 ms a frame)" in seen["message"])
    live.running()


def test_an_error_is_shown_and_the_stream_goes_on(view):
    live = view().open().press("Start")
    live.running()
    live.kernel("model.answer = {...model.answer, error: 'Frame 7 is damaged.', faces: []};")
    before = live.until(message="Frame 7 is damaged.")["answers"]
    live.kernel("model.answer = {...model.answer, error: null};")
    live.until(lambda seen: seen["answers"] > before + 5, message="")


def test_a_kernel_that_falls_silent_switches_the_camera_off(view):
    live = view().open().press("Start")
    live.running()
    live.kernel("model.mute = true;")
    sentence = "The kernel does not answer any more, so the camera was switched off"
    live.until(lambda seen: sentence in seen["notice"], state="lost", track="ended")


def test_one_lost_answer_does_not_end_the_stream(view):
    live = view().open(lost_answers=99, in_flight=1).press("Start")
    live.running()
    live.kernel("model.mute = true;")
    live.until(lambda seen: "No answer for" in seen["message"])
    live.kernel("model.mute = false;")
    before = live.look()["answers"]
    live.until(lambda seen: seen["answers"] > before + 5, state="on")


def test_a_kernel_that_goes_away_is_noticed_at_once(view):
    live = view().open(answer_seconds=600).press("Start")
    live.running()
    live.kernel("model.listeners.comm_live_update.forEach(call => call());")
    live.until(state="lost", track="ended")


def test_stop_during_inference_drops_the_late_answer(view):
    live = view().open(answer_seconds=600).kernel("model.mute = true;").press("Start")
    live.until(lambda seen: "frame" in seen["sent"])
    live.press("Stop").until(state="off")
    live.kernel(
        "const id = model.sent.find(one => one.type === 'frame').id;"
        "model.tell({type: 'answer', id, answer: model.answer, end: false, summary: null});"
    )
    live.page.wait_for_timeout(200)
    seen = live.look()
    assert (seen["state"], seen["answers"]) == ("off", 0)


def test_closing_the_widget_ends_the_track(view):
    live = view().open().press("Start")
    live.running()
    live.page.evaluate("() => window.cleanups[0]()")
    live.until(track="ended")
    live.page.wait_for_function("() => window.models[0].listeners['msg:custom'].length === 0")


def test_two_cameras_in_one_notebook_do_not_mix(view):
    live = view().open().open("other", answer=ANSWER | {"faces": []})
    live.press("Start", 0).press("Start", 1)
    live.running(0, cards=["happy 93 %", "–", "–", "–"])
    live.running(1, cards=["–"] * 4)
    live.press("Stop", 0)
    live.until(state="off")
    before = live.look(1)["answers"]
    live.until(lambda seen: seen["answers"] > before + 3, 1, track="live")


def fails(name):
    return (
        "navigator.mediaDevices.getUserMedia = () => "
        f"Promise.reject(Object.assign(new Error('told'), {{name: {json.dumps(name)}}}));"
    )


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (fails("NotFoundError"), "No camera was found"),
        (fails("OverconstrainedError"), "No camera was found"),
        (fails("NotAllowedError"), "was not allowed"),
        (fails("NotReadableError"), "used by another program"),
        (fails("OddError"), "could not be opened (told)"),
        ("Object.defineProperty(navigator, 'mediaDevices', {value: undefined});", "only on https and on localhost"),
        (
            "document.addEventListener('DOMContentLoaded', () => document.body.dataset.vscodeThemeKind = 'dark');"
            + fails("NotAllowedError"),
            "VS Code does not let",
        ),
    ],
    ids=["none", "other size", "denied", "busy", "odd", "insecure", "VS Code"],
)
def test_each_reason_for_no_camera_has_its_sentence(view, script, sentence):
    live = view(script).open().press("Start")
    seen = live.until(lambda seen: sentence in seen["notice"], state="error")
    assert seen["sent"].count("frame") == 0
    expect(live.page.get_by_role("button", name="Start", exact=True)).to_be_visible()


def test_plain_http_elsewhere_is_refused_by_the_browser_itself(view):
    live = view(host="example.test").open().press("Start")
    live.until(lambda seen: "only on https and on localhost" in seen["notice"], state="error")


def test_an_unplugged_camera_is_named(view):
    live = view().open().press("Start")
    live.running()
    live.page.evaluate(
        "() => document.querySelector('video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))"
    )
    live.until(lambda seen: "unplugged" in seen["notice"], state="error")


def test_another_resolution_in_mid_stream(view):
    live = view().open().press("Start")
    live.running()
    live.page.get_by_label("Resolution").select_option("320x240")
    live.until(lambda seen: seen["sent"].count("start") == 2)
    live.running(width=320)


def test_a_chosen_camera_that_is_gone_gives_way_to_another(view):
    live = view("""
      const ask = MediaDevices.prototype.getUserMedia;
      MediaDevices.prototype.getUserMedia = function (wanted) {
        if (!wanted.video.deviceId) return ask.call(this, wanted);
        return Promise.reject(Object.assign(new Error('gone'), {name: 'OverconstrainedError'}));
      };
    """).open()
    live.press("Start").running()
    live.press("Stop").until(state="off")
    live.page.evaluate("""() => {
      const select = document.querySelector('select');
      select.add(new Option('USB camera', 'unplugged'));
      select.value = 'unplugged';
    }""")
    live.press("Start").running()
    expect(live.page.get_by_label("Camera", exact=True)).to_have_value("")


def test_a_camera_without_pictures_is_named(view):
    live = view("""
      MediaDevices.prototype.getUserMedia = async () => {
        const canvas = document.createElement('canvas');
        canvas.getContext('2d');
        return canvas.captureStream(0);
      };
      HTMLMediaElement.prototype.play = async () => {};
    """).open()
    live.press("Start").until(lambda seen: "gives no picture" in seen["message"])


def test_a_widget_that_is_shown_twice_answers_each_view(view):
    live = view().open()
    live.page.evaluate("""async module => {
      const {default: widget} = await import(URL.createObjectURL(new Blob([module], {type: 'text/javascript'})));
      window.cleanups.push(widget.render({model: window.models[0], el: document.getElementById('other')}));
    }""", asset(*SCRIPTS))  # fmt: skip
    live.press("Start").running()
    ids = live.page.evaluate("() => window.models[0].sent.filter(one => one.type === 'frame').map(one => one.view)")
    assert len(set(ids)) == 1
    with live.page.expect_download() as saved:
        live.press("CSV")
        live.kernel("""const asked = model.sent.find(one => one.type === 'export');
                       model.tell({type: 'file', view: 'another', name: 'no.csv', mime: 'text/csv', text: ''});
                       model.tell({type: 'file', view: asked.view, name: 'yes.csv', mime: 'text/csv', text: ''});""")
    assert saved.value.suggested_filename == "yes.csv"
    expect(live.page.locator(".ferlib-live").nth(1)).not_to_have_attribute("data-answers", re.compile(".*"))


def test_nothing_jumps_as_faces_come_and_go(view):
    live = view().open(answer=ANSWER | {"faces": []}).press("Start")
    empty = live.running()["height"]
    faces = [FACE | {"track": number} for number in range(1, 8)]
    live.kernel(f"model.answer = {{...model.answer, faces: {json.dumps(faces)}}};")
    live.until(cards=["happy 93 %"] * 4, height=empty)
    expect(live.page.locator(".ferlib-more")).to_have_text("and 3 more faces")
    live.kernel("model.answer = {...model.answer, faces: []};")
    live.until(cards=["–"] * 4, height=empty)


def test_below_the_threshold_the_card_says_not_sure(view):
    live = view().open(answer=ANSWER | {"faces": [FACE | {"sure": False, "label": "not sure"}]}).press("Start")
    live.running(cards=["not sure", "–", "–", "–"])


def test_freeze_holds_the_frame_and_sends_no_more(view):
    live = view().open().press("Start")
    live.running()
    live.press("Freeze")
    expect(live.page.locator(".ferlib-still")).to_be_visible()  # as soon as the last frame is answered
    sent = live.look()["sent"].count("frame")
    live.page.wait_for_timeout(500)
    assert live.look()["sent"].count("frame") == sent
    live.press("Go on").until(lambda seen: seen["sent"].count("frame") > sent + 3)
    expect(live.page.locator(".ferlib-still")).to_be_hidden()


def test_a_freeze_whose_frame_is_lost_holds_the_next_one(view):
    live = view().open(lost_answers=99).press("Start")
    live.running()
    live.kernel("model.mute = true;").press("Freeze")
    live.until(lambda seen: "trying again" in seen["message"])
    live.kernel("model.mute = false; model.underWay = 0;")
    expect(live.page.locator(".ferlib-still")).to_be_visible()


def test_snapshot_and_recording_are_saved_by_the_browser(view):
    live = view().open().press("Start")
    live.running()
    with live.page.expect_download() as snapshot:
        live.press("Snapshot")
    assert snapshot.value.suggested_filename == "ferlib-snapshot.png"
    live.press("Record")
    live.page.wait_for_timeout(1200)  # the recorder gives a part each second
    with live.page.expect_download() as recording:
        live.press("Save")
    assert recording.value.suggested_filename == "ferlib-recording.webm"
    assert set(live.look()["sent"]) == {"start", "frame"}
    expect(live.page.get_by_role("button", name="Record", exact=True)).to_have_attribute("aria-pressed", "false")


def test_a_browser_that_cannot_record_says_so(view):
    live = view("window.MediaRecorder = class { constructor() { throw new Error('no encoder'); } };"
                "window.MediaRecorder.isTypeSupported = () => false;").open()  # fmt: skip
    live.press("Start").running()
    live.press("Record")
    expect(live.page.locator(".ferlib-message")).to_contain_text("cannot record the camera (no encoder)")
    expect(live.page.get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_pictures_of_the_kernel_are_shown_until_they_end(view):
    live = view().open(mode="kernel")
    live.page.evaluate("""async () => {
      const canvas = Object.assign(document.createElement('canvas'), {width: 64, height: 48});
      canvas.getContext('2d');
      const blob = await new Promise(done => canvas.toBlob(done, 'image/jpeg'));
      window.models[0].picture = await blob.arrayBuffer();
    }""")
    live.press("Start").running()
    expect(live.page.locator(".ferlib-still")).to_be_visible()
    assert live.look()["bytes"] == 0
    live.kernel("model.end = true;")
    live.until(state="off", notice="The end was reached.")
