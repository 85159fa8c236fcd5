// The browser's half of the live demo: the camera (or pictures from the kernel), at most a few frames in flight, the
// newest wins, and answers drawn over a video that stays smooth however slow the kernel is.

const SENTENCES = {
  off: "The camera is off. Press Start: its pictures go to the notebook's kernel and nowhere else.",
  ready: "Press Start.",
  starting: "Starting …",
  waiting: "Waiting for the first answer; the kernel may still be busy with another cell.",
  insecure:
    "Browsers allow the camera only on https and on localhost. Open the notebook through localhost (an SSH tunnel " +
    "does it), or choose a file as SOURCE.",
  vscode:
    "VS Code does not let notebooks use the camera. Open this notebook in JupyterLab in a browser, or set " +
    'SOURCE = "device" or a file.',
  denied: "The camera was not allowed. Allow it at the browser's address bar, then press Start again.",
  none: "No camera was found. Plug one in and press Start again, or use the tabs Photo and Video.",
  busy: "The camera is used by another program. Close it there, then press Start again.",
  gone: "The camera was unplugged, or is no longer allowed. Mend that, then press Start again.",
  dark: "The camera gives no picture. Is it covered, switched off, or used by another program?",
  lost:
    "The kernel does not answer any more, so the camera was switched off. Run the cell again, then press Start.",
  ended: "The end was reached.",
};
const SLOW_MS = 250; // a kernel that takes longer for a frame is called slow
const ROOM = 0.45; // share of a round trip up to which the kernel is idle for long enough to take a second frame
const FIRST_ANSWER = 3; // times as patient until the first answer comes: models are loaded then
const DARK_MS = 5000; // without a picture of the camera
const WARNING_MS = 3000; // that a warning stays at least
const RECORDINGS = ["video/webm;codecs=vp8", "video/webm", "video/mp4"]; // the first one that the browser can make

function isVsCode() {
  return location.protocol.startsWith("vscode") || document.body.hasAttribute("data-vscode-theme-kind");
}

function whyNot(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return isVsCode() ? "vscode" : "denied";
  if (error.name === "NotReadableError" || error.name === "AbortError") return "busy";
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return "none";
  return null;
}

// Width and height of a picture whose longer side is scaled down to `longestSide`, where it is longer.
function sizeWithin(longestSide, width, height) {
  const shrink = Math.min(1, longestSide / Math.max(width, height));
  return [Math.round(shrink * width), Math.round(shrink * height)];
}

function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

class CameraView {
  constructor(model, root) {
    this.model = model;
    this.fromBrowser = model.get("mode") === "browser";
    this.emotions = model.get("emotions");
    this.colours = Object.fromEntries(this.emotions.map((name, index) => [name, model.get("colours")[index]]));
    this.generation = 0; // answers and promises of an earlier start do not count
    this.viewId = Math.random().toString(36).slice(2); // a widget may be shown twice
    this.inFlight = new Map(); // id -> when the frame was taken
    this.times = []; // of the last answers, for the rate
    this.build(root);
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    this.onComm = () => this.isOn() && this.stop("lost"); // Jupyter tells that the kernel went away
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
    this.watch = setInterval(() => this.watchAnswers(), 500);
    this.resized = new ResizeObserver(() => this.redraw());
    this.resized.observe(this.stage);
    this.setState("off");
  }

  dispose() {
    this.stop();
    clearInterval(this.watch);
    this.resized.disconnect();
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
  }

  // ---- the page

  build(root) {
    this.root = root.appendChild(element("div", "ferlib-live"));
    this.root.dataset.lmSuppressShortcuts = "true"; // or JupyterLab would take Enter and the arrow keys
    const main = this.root.appendChild(element("div", "ferlib-main"));
    const left = main.appendChild(element("div", "ferlib-left"));
    this.stage = left.appendChild(element("div", "ferlib-stage"));
    this.video = this.stage.appendChild(element("video"));
    Object.assign(this.video, { muted: true, playsInline: true });
    this.still = this.stage.appendChild(element("canvas", "ferlib-still"));
    this.overlay = this.stage.appendChild(element("canvas", "ferlib-overlay"));
    this.overlay.setAttribute("aria-hidden", "true");
    this.notice = this.stage.appendChild(element("div", "ferlib-notice"));
    this.buildControls(left);
    this.status = left.appendChild(element("div", "ferlib-status"));
    this.meter = this.status.appendChild(element("div", "ferlib-meter"));
    this.message = this.status.appendChild(element("div", "ferlib-message"));
    this.message.setAttribute("role", "status");
    const right = main.appendChild(element("div", "ferlib-right"));
    this.cards = new Cards(this.emotions, this.colours);
    right.append(this.cards.root, this.cards.more);
    this.timeLine = new TimeLine(this.emotions, this.colours);
    this.latencies = new Latencies(this.model.get("stages"));
    this.root.append(this.timeLine.root, this.latencies.root);
    this.root.hidden = false;
    this.taken = document.createElement("canvas"); // the frame that was sent last
    requestAnimationFrame(() => this.timeLine.draw(0));
  }

  buildControls(parent) {
    let bar = parent.appendChild(element("div", "ferlib-controls"));
    const button = (text, hint, action) => {
      const node = bar.appendChild(element("button", "ferlib-button", text));
      node.type = "button";
      node.title = hint;
      node.addEventListener("click", action);
      return node;
    };
    this.startButton = button("Start", "Begin or end", () => (this.isOn() ? this.stop() : this.start()));
    this.startButton.classList.add("ferlib-primary");
    this.freezeButton = button("Freeze", "Hold the next answered frame", () => {
      this.freeze(!this.freezing);
      this.offer();
    });
    button("Snapshot", "Save the picture with its boxes as PNG", () => this.snapshot());
    if (this.fromBrowser && window.MediaRecorder) {
      this.recordButton = button("Record", "Save the video on this computer", () => this.record());
    }
    button("CSV", "Save the table of this session", () => this.export("csv"));
    button("JSON", "Save the table of this session", () => this.export("json"));
    if (!this.fromBrowser) return;
    bar = parent.appendChild(element("div", "ferlib-controls"));
    this.device = this.choice(bar, "Camera", [["", "default camera"]]);
    const sizes = this.model.get("sizes").map(([w, h]) => [`${w}x${h}`, `${w} × ${h}`]);
    this.size = this.choice(bar, "Resolution", sizes);
    this.size.value = `${this.model.get("width")}x${this.model.get("height")}`;
    const label = bar.appendChild(element("label", "ferlib-check"));
    this.mirror = label.appendChild(element("input"));
    this.mirror.type = "checkbox";
    this.mirror.checked = this.model.get("mirror");
    label.append(" Mirror");
    this.mirror.addEventListener("change", () => this.redraw());
    for (const select of [this.device, this.size]) {
      select.addEventListener("change", () => this.isOn() && this.start());
    }
  }

  choice(parent, name, options) {
    const select = parent.appendChild(element("select", "ferlib-select"));
    select.setAttribute("aria-label", name);
    select.title = name;
    for (const [value, text] of options) select.add(new Option(text, value));
    return select;
  }

  async listCameras() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter(({ kind }) => kind === "videoinput");
    const chosen = this.device.value;
    this.device.replaceChildren(new Option("default camera", ""));
    cameras.forEach(({ label, deviceId }, index) => this.device.add(new Option(label || `camera ${index + 1}`, deviceId)));
    this.device.value = cameras.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  }

  export(format) {
    this.model.send({ type: "export", format, view: this.viewId });
  }

  isMirrored() {
    return this.fromBrowser && this.mirror.checked;
  }

  isOn() {
    return this.state === "starting" || this.state === "on";
  }

  setState(state, sentence) {
    this.state = state;
    this.root.dataset.state = state;
    this.startButton.textContent = this.isOn() ? "Stop" : "Start";
    this.freezeButton.disabled = state !== "on";
    if (this.recordButton) this.recordButton.disabled = state !== "on";
    this.notice.hidden = state === "on";
    this.notice.textContent = sentence || SENTENCES[state === "off" && !this.fromBrowser ? "ready" : state] || "";
    this.model.set("state", state);
    this.model.set("sentence", this.notice.textContent);
    if (state !== "lost") this.model.save_changes(); // else there is nobody to tell
  }

  say(sentence) {
    if (this.message.textContent !== sentence) this.message.textContent = sentence;
  }

  // Says a sentence that the next answer does not replace at once.
  warn(sentence) {
    this.say(sentence);
    this.warnUntil = performance.now() + WARNING_MS;
  }

  // ---- start and stop

  async start() {
    this.release();
    const generation = ++this.generation;
    this.clear();
    this.setState("starting");
    this.model.send({ type: "start" });
    try {
      if (this.fromBrowser) await this.openCamera(generation);
    } catch (error) {
      if (generation !== this.generation) return;
      const reason = whyNot(error);
      this.stop("error", reason ? SENTENCES[reason] : `The camera could not be opened (${error.message || error}).`);
      return;
    }
    if (generation !== this.generation) return;
    this.setState("on");
    this.pictureAt = performance.now();
    this.say(SENTENCES.waiting);
    this.firstId = (this.lastId || 0) + 1;
    this.fresh = !this.fromBrowser;
    if (this.fromBrowser) this.awaitFrame(generation);
    this.offer();
  }

  async openCamera(generation) {
    if (!window.isSecureContext || !navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
      throw Object.assign(new Error(SENTENCES[isVsCode() ? "vscode" : "insecure"]), { name: "Unusable" });
    }
    const [width, height] = this.size.value.split("x").map(Number);
    const constraints = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
    if (this.device.value) constraints.deviceId = { exact: this.device.value };
    const stream = await this.askForCamera(constraints);
    if (generation !== this.generation) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.stream === stream && this.stop("error", SENTENCES.gone));
    this.video.srcObject = stream;
    await this.video.play();
    await this.listCameras();
  }

  // A chosen camera that is gone gives way to the default one.
  async askForCamera(constraints) {
    try {
      return await navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    } catch (error) {
      if (error.name !== "OverconstrainedError" || !constraints.deviceId) throw error;
      await this.listCameras();
      delete constraints.deviceId;
      return navigator.mediaDevices.getUserMedia({ video: constraints, audio: false });
    }
  }

  // `state` is "off", "lost" or "error".
  stop(state = "off", sentence = undefined) {
    const wasOn = this.isOn();
    this.generation += 1;
    this.release();
    if (wasOn && state !== "lost") this.model.send({ type: "stop" });
    this.setState(state, sentence);
    this.say("");
  }

  // Camera light off, nothing in flight.
  release() {
    if (this.recorder) this.record();
    if (this.stream) this.stream.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    this.inFlight.clear();
    this.freeze(false);
    this.lost = 0;
  }

  clear() {
    this.shown = null;
    this.answers = this.dropped = this.lastDrawn = 0;
    this.times = [];
    this.kernelShare = 1; // of the round trip, smoothed
    this.measured = {};
    this.cards.clear();
    this.timeLine.clear();
    this.latencies.clear();
    this.meter.textContent = "";
    Object.assign(this.root.dataset, { answers: 0, faces: 0 });
    this.still.hidden = true;
    this.redraw();
  }

  // ---- frames out

  awaitFrame(generation) {
    const next = () => {
      if (generation !== this.generation) return;
      if (this.fresh && !this.frozen) this.dropped += 1; // the one before was never sent
      this.fresh = true;
      this.pictureAt = performance.now();
      this.offer();
      this.awaitFrame(generation);
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(next);
    else setTimeout(() => (this.video.videoWidth ? next() : this.awaitFrame(generation)), 33);
  }

  // More than one frame under way fills the time that messages take; where the kernel is what takes the time, a
  // second frame would only wait for it, and its boxes come later.
  mostInFlight() {
    return this.kernelShare < ROOM ? this.model.get("in_flight") : 1;
  }

  offer() {
    if (this.state !== "on" || !this.fresh || this.frozen) return;
    if (this.inFlight.size >= this.mostInFlight()) return;
    const id = (this.lastId = (this.lastId || 0) + 1);
    this.inFlight.set(id, performance.now());
    const content = { type: "frame", id, time: performance.now() / 1000, dropped: this.dropped, ms: this.measured, view: this.viewId };
    this.measured = {};
    if (this.fromBrowser) this.sendPicture(content, this.generation);
    else this.model.send(content);
  }

  sendPicture(content, generation) {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) {
      this.inFlight.delete(content.id);
      return;
    }
    this.fresh = false;
    [this.taken.width, this.taken.height] = sizeWithin(this.model.get("longest_side"), videoWidth, videoHeight);
    this.taken.getContext("2d").drawImage(this.video, 0, 0, this.taken.width, this.taken.height);
    if (this.freezing) [this.frozen, this.heldId] = [true, content.id]; // the last frame until the freeze ends
    const give = async (blob) => {
      const bytes = blob && (await blob.arrayBuffer());
      if (generation === this.generation && bytes) this.model.send(content, undefined, [bytes]);
    };
    this.taken.toBlob(give, "image/jpeg", this.model.get("quality"));
  }

  // ---- answers in

  receive(message, buffers) {
    if (message.view && message.view !== this.viewId) return; // for another view of the same widget
    if (message.type === "file") download(message.name, new Blob([message.text], { type: message.mime }));
    else if (message.type === "stop" && this.isOn()) this.stop(message.sentence ? "error" : "off", message.sentence);
    else if (message.type === "answer") this.take(message, buffers);
  }

  async take({ id, answer, end, summary }, buffers) {
    const sent = this.inFlight.get(id);
    if (this.state === "on" && id >= this.firstId) this.lost = 0; // a late answer is a sign of life too
    if (sent === undefined) return; // stopped since, or given up
    this.inFlight.delete(id);
    if (end) return this.stop("off", SENTENCES.ended);
    const generation = this.generation;
    const started = performance.now();
    if (buffers && buffers.length) await this.showPicture(buffers[0]);
    if (generation !== this.generation) return;
    if (answer && id > this.lastDrawn) {
      this.lastDrawn = id;
      this.show(answer, id);
    }
    const now = performance.now();
    this.measured = { draw: now - started, "round trip": now - sent };
    if (summary) this.latencies.update(summary);
    this.answers += 1;
    this.measure(now, now - sent, answer);
    this.offer();
  }

  async showPicture(bytes) {
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    this.still.width = picture.width;
    this.still.height = picture.height;
    this.still.getContext("2d").drawImage(picture, 0, 0);
    this.still.hidden = false;
    picture.close();
  }

  show(answer, id) {
    if (answer.error) {
      this.warn(answer.error);
      if (this.frozen && this.fromBrowser) this.freeze(true); // hold the next one
    } else {
      this.shown = answer;
      this.cards.update(answer.faces, answer.time);
      this.timeLine.update(answer.faces, answer.time);
      if (id === this.heldId) this.holdPicture(); // the answer to an earlier frame may come after the last was taken
      this.redraw();
    }
  }

  redraw() {
    this.video.classList.toggle("ferlib-mirrored", this.isMirrored());
    this.still.classList.toggle("ferlib-mirrored", this.isMirrored());
    drawAnswer(this.overlay, this.shown, this.colours, this.isMirrored());
  }

  measure(now, roundTrip, answer) {
    this.times.push(now);
    while (this.times[0] < now - 2000) this.times.shift();
    this.root.dataset.answers = this.answers;
    this.root.dataset.faces = this.shown ? this.shown.faces.length : 0;
    this.root.dataset.roundTrip = roundTrip.toFixed(1);
    const kernel = answer && answer.ms ? answer.ms.kernel : 0;
    this.kernelShare += 0.2 * (Math.min(1, kernel / roundTrip) - this.kernelShare);
    if (now > (this.meterAt || 0) + 250) {
      this.meterAt = now;
      const span = (now - this.times[0]) / 1000;
      const rate = span > 0.3 ? ((this.times.length - 1) / span).toFixed(0) : "–";
      this.meter.textContent = `${rate} a second · round trip ${roundTrip.toFixed(0)} ms · kernel ${kernel.toFixed(0)} ms`;
    }
    if (now < (this.warnUntil || 0)) return;
    const slow = kernel > SLOW_MS;
    this.say(slow ? `The kernel is slow (${kernel.toFixed(0)} ms a frame): the boxes lag behind the picture.` : "");
  }

  // A frame that is never answered must not end the stream, and a kernel that is gone must end it.
  watchAnswers() {
    if (this.state !== "on") return;
    const now = performance.now();
    if (this.fromBrowser && !document.hidden && now - this.pictureAt > DARK_MS) this.say(SENTENCES.dark);
    if (!this.inFlight.size) return;
    const patience = 1000 * this.model.get("answer_seconds") * (this.answers ? 1 : FIRST_ANSWER);
    if (now - Math.min(...this.inFlight.values()) < patience) return;
    this.inFlight.clear();
    this.lost += 1;
    if (!this.answers || this.lost >= this.model.get("lost_answers")) this.stop("lost");
    else {
      this.say(`No answer for ${(patience / 1000).toFixed(0)} s; trying again.`);
      this.fresh = true;
      if (this.frozen && this.fromBrowser) this.freeze(true); // hold the next one
      this.offer();
    }
  }

  // ---- freeze, snapshot, record

  freeze(freezing) {
    this.freezing = freezing;
    this.frozen = freezing && !this.fromBrowser;
    this.heldId = null;
    this.freezeButton.setAttribute("aria-pressed", String(freezing));
    this.freezeButton.textContent = freezing ? "Go on" : "Freeze";
    if (this.fromBrowser) this.still.hidden = true;
  }

  // The very frame that the boxes belong to covers the video.
  holdPicture() {
    this.still.width = this.taken.width;
    this.still.height = this.taken.height;
    this.still.getContext("2d").drawImage(this.taken, 0, 0);
    this.still.hidden = false;
  }

  snapshot() {
    const source = this.still.hidden ? this.video : this.still;
    const [width, height] = [source.videoWidth || source.width, source.videoHeight || source.height];
    if (!width || (source === this.video && !this.stream)) return this.warn("There is no picture yet.");
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const place = placeIn(this.overlay, width, height);
    if (this.isMirrored()) context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(source, 0, 0, width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
    const ratio = this.overlay.width / this.overlay.clientWidth;
    const part = [place.left, place.top, place.right - place.left, place.bottom - place.top].map((v) => v * ratio);
    context.drawImage(this.overlay, ...part, 0, 0, width, height);
    canvas.toBlob((blob) => download("ferlib-snapshot.png", blob), "image/png");
  }

  // Only on this computer: the browser records and saves, nothing goes to the kernel.
  record() {
    if (this.recorder) return this.recorder.stop();
    if (!this.stream) return;
    const mimeType = RECORDINGS.find((type) => MediaRecorder.isTypeSupported(type));
    const parts = [];
    try {
      this.recorder = new MediaRecorder(this.stream, { mimeType });
      this.recorder.start(1000);
    } catch (error) {
      this.recorder = null;
      return this.warn(`This browser cannot record the camera (${error.message}).`);
    }
    const { recorder } = this;
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("error", (event) => this.warn(`The recording ended early (${event.error.message}).`));
    recorder.addEventListener("stop", () => {
      if (this.recorder === recorder) this.recorder = null;
      this.showRecording();
      const suffix = recorder.mimeType.startsWith("video/mp4") ? "mp4" : "webm";
      download(`ferlib-recording.${suffix}`, new Blob(parts, { type: recorder.mimeType }));
    });
    this.showRecording();
  }

  showRecording() {
    this.recordButton.setAttribute("aria-pressed", String(Boolean(this.recorder)));
    this.recordButton.textContent = this.recorder ? "Save" : "Record";
  }
}

export default {
  render({ model, el }) {
    const view = new CameraView(model, el);
    return () => view.dispose();
  },
};
