// A place to drop files on, or to choose them with mouse or keyboard; they go to the kernel in pieces, one after another.

const PIECE = 1 << 20; // bytes; a websocket message of Jupyter's server may hold ten times as much
const PATIENCE = 30_000; // ms; a kernel that answers later is busy, or gone
const BUSY = "The kernel does not answer yet. If it was restarted, run the cell again.";
const LOST = "The kernel went away. Run the cell again.";

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

class DropZone {
  constructor(model, root) {
    this.model = model;
    this.waiting = []; // files
    this.sentences = []; // about the files that were given together
    this.root = root.appendChild(document.createElement("label"));
    this.root.className = "ferlib-drop";
    this.root.dataset.lmSuppressShortcuts = "true";
    this.prompt = this.root.appendChild(document.createElement("span"));
    this.prompt.textContent = model.get("prompt");
    this.input = this.root.appendChild(document.createElement("input"));
    Object.assign(this.input, { type: "file", multiple: model.get("multiple"), accept: model.get("accept") });
    this.input.setAttribute("aria-label", model.get("prompt"));
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      this.input.value = ""; // or the same file could not be chosen again
    });
    this.status = root.appendChild(document.createElement("div"));
    this.status.className = "ferlib-drop-status";
    this.status.setAttribute("role", "status");
    for (const name of ["dragover", "dragleave", "drop"]) {
      this.root.addEventListener(name, (event) => this.drag(event));
    }
    this.onMessage = (message) => this.receive(message);
    this.onComm = () => this.current && this.lose(LOST); // Jupyter tells that the kernel went away
    model.on("msg:custom", this.onMessage);
    model.on("comm_live_update", this.onComm);
  }

  dispose() {
    this.waiting = [];
    clearTimeout(this.timer);
    this.model.off("msg:custom", this.onMessage);
    this.model.off("comm_live_update", this.onComm);
  }

  drag(event) {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would open the file
    this.root.classList.toggle("ferlib-over", event.type === "dragover");
    if (event.type === "drop") this.add([...event.dataTransfer.files]);
  }

  show(progress = "") {
    const lines = [...this.sentences, progress].filter(Boolean);
    this.status.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  }

  // A late answer still counts, until another file is given.
  stall() {
    this.stalled = true;
    this.show(BUSY);
  }

  // Forget what is under way, so that the next file is sent.
  lose(sentence) {
    clearTimeout(this.timer);
    this.waiting = [];
    this.current = undefined;
    this.stalled = false;
    this.id += 1;
    if (sentence) this.sentences.push(sentence);
    this.show();
  }

  add(files) {
    if (this.stalled) this.lose();
    if (!this.current) this.sentences = [];
    for (const file of files.slice(0, this.model.get("multiple") ? files.length : 1)) {
      if (file.size === 0) this.sentences.push(`${file.name} is empty (0 bytes); copy or download it again.`);
      else if (file.size > this.model.get("limit")) {
        const limit = megabytes(this.model.get("limit"));
        this.sentences.push(`${file.name} has ${megabytes(file.size)}, and ${limit} is the most that goes through the browser; put it beside the notebook and give its path as SOURCE.`);
      } else this.waiting.push(file);
    }
    this.show();
    if (!this.current) this.next();
  }

  next() {
    this.current = this.waiting.shift();
    this.id = (this.id || 0) + 1;
    if (this.current) this.piece(0);
  }

  async piece(offset) {
    const { name, size } = this.current;
    const id = this.id;
    let bytes;
    try {
      bytes = await this.current.slice(offset, offset + PIECE).arrayBuffer();
    } catch (error) {
      this.sentences.push(`${name} cannot be read by the browser (${error.message}).`);
      this.show();
      return this.next();
    }
    if (id !== this.id) return;
    this.model.send({ type: "piece", id, name, size, offset }, undefined, [bytes]);
    this.timer = setTimeout(() => this.stall(), PATIENCE);
    this.show(`${name}: ${Math.round((100 * (offset + bytes.byteLength)) / size)} % sent`);
  }

  receive(message) {
    if (message.id !== this.id) return;
    clearTimeout(this.timer);
    this.stalled = false;
    if (message.type === "more") this.piece(message.offset);
    else {
      this.sentences.push(message.sentence);
      this.show();
      this.next();
    }
  }
}

export default {
  render({ model, el }) {
    const zone = new DropZone(model, el);
    return () => zone.dispose();
  },
};
