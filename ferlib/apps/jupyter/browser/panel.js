// The panel beside and below the picture: a card for each face, a time line of the emotions, and the latencies.
// Every part has its size from the start, so that nothing jumps as faces come and go.

const CARDS = 4;
const FADE_SECONDS = 2; // that the card of a face stays after it has gone
const LINE_SECONDS = 30; // that the time line shows
const GAP_SECONDS = 2; // without a face, from which the time line has a gap

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

class Card {
  constructor(emotions, colours) {
    this.root = element("div", "ferlib-card");
    this.root.setAttribute("role", "group");
    this.head = this.root.appendChild(element("div", "ferlib-card-head"));
    this.number = this.head.appendChild(element("span", "ferlib-card-number"));
    this.label = this.head.appendChild(element("span", "ferlib-card-label"));
    this.bars = emotions.map((name) => {
      const row = this.root.appendChild(element("div", "ferlib-row"));
      row.appendChild(element("span", "ferlib-name", name));
      const track = row.appendChild(element("span", "ferlib-track"));
      const bar = track.appendChild(element("span", "ferlib-bar"));
      bar.style.background = colours[name];
      return { row, bar, value: row.appendChild(element("span", "ferlib-value")) };
    });
    this.colours = colours;
    this.clear();
  }

  show(face, seconds) {
    this.track = face.track;
    this.seen = seconds;
    this.number.textContent = `Face ${face.track}`;
    this.label.textContent = face.label;
    const colour = face.sure ? this.colours[face.emotion] : UNSURE_COLOUR;
    this.root.style.setProperty("--ferlib-class", colour);
    this.root.setAttribute("aria-label", `Face ${face.track}: ${face.label}`);
    this.root.classList.remove("ferlib-empty", "ferlib-gone");
    const best = face.probabilities.indexOf(Math.max(...face.probabilities));
    this.bars.forEach(({ row, bar, value }, index) => {
      bar.style.transform = `scaleX(${face.probabilities[index]})`;
      value.textContent = percent(face.probabilities[index]);
      row.classList.toggle("ferlib-best", index === best);
    });
  }

  fade() {
    this.root.classList.add("ferlib-gone");
  }

  clear() {
    this.track = null;
    this.number.textContent = "No face";
    this.label.textContent = "–";
    this.root.removeAttribute("aria-label");
    this.root.style.removeProperty("--ferlib-class");
    this.root.classList.remove("ferlib-gone");
    this.root.classList.add("ferlib-empty");
    for (const { row, bar, value } of this.bars) {
      bar.style.transform = "scaleX(0)";
      value.textContent = "";
      row.classList.remove("ferlib-best");
    }
  }
}

class Cards {
  constructor(emotions, colours) {
    this.root = element("div", "ferlib-cards");
    this.cards = Array.from({ length: CARDS }, () => new Card(emotions, colours));
    this.cards.forEach((card) => this.root.appendChild(card.root));
    this.more = element("div", "ferlib-more");
  }

  // A face keeps its card as long as it is there; `more` names how many have none.
  update(faces, seconds) {
    for (const card of this.cards) {
      const face = faces.find(({ track }) => track === card.track);
      if (face) card.show(face, seconds);
      else if (card.track !== null && Math.abs(seconds - card.seen) > FADE_SECONDS) card.clear();
      else if (card.track !== null) card.fade();
    }
    let without = 0;
    for (const face of faces.filter(({ track }) => !this.cards.some((card) => card.track === track))) {
      const free = this.cards.find((card) => card.track === null) || this.cards.find((card) => this.isGone(card));
      if (free) free.show(face, seconds);
      else without += 1;
    }
    this.more.textContent = without ? `and ${without} more face${without > 1 ? "s" : ""}` : "";
  }

  isGone(card) {
    return card.root.classList.contains("ferlib-gone");
  }

  clear() {
    this.cards.forEach((card) => card.clear());
    this.more.textContent = "";
  }
}

// Joins neighbouring points of one emotion, so that nothing is painted twice; a gap of GAP_SECONDS ends a stretch.
function stretches(points) {
  const joined = [];
  let start = 0;
  points.forEach((point, index) => {
    const next = points[index + 1];
    const near = next && next.time - point.time < GAP_SECONDS;
    if (near && next.emotion === point.emotion && next.sure === point.sure) return;
    const to = near ? next.time : point.time;
    joined.push({ from: points[start].time, to, emotion: point.emotion, sure: point.sure });
    start = index + 1;
  });
  return joined;
}

// One lane for each of the newest faces; the colour is the emotion, a gap is a face out of sight.
class TimeLine {
  constructor(emotions, colours) {
    this.root = element("div", "ferlib-timeline");
    this.canvas = this.root.appendChild(element("canvas", "ferlib-lanes"));
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Emotions of the last ${LINE_SECONDS} seconds, one lane a face`);
    const legend = this.root.appendChild(element("div", "ferlib-legend"));
    for (const name of emotions) {
      const key = legend.appendChild(element("span", "ferlib-key"));
      key.appendChild(element("i")).style.background = colours[name];
      key.appendChild(document.createTextNode(name));
    }
    this.colours = colours;
    this.clear();
  }

  clear() {
    this.lanes = new Map(); // track -> [{time, emotion, sure}]
    this.draw(0);
  }

  update(faces, seconds) {
    for (const face of faces) {
      if (!this.lanes.has(face.track)) this.lanes.set(face.track, []);
      this.lanes.get(face.track).push({ time: seconds, emotion: face.emotion, sure: face.sure });
    }
    for (const [track, points] of this.lanes) {
      while (points.length && points[0].time < seconds - LINE_SECONDS) points.shift();
      if (!points.length) this.lanes.delete(track);
    }
    this.draw(seconds);
  }

  draw(now) {
    const context = fitted(this.canvas);
    const style = getComputedStyle(this.canvas);
    const [width, height, gutter, axis] = [this.canvas.clientWidth, this.canvas.clientHeight, 52, 16];
    const x = (time) => gutter + (width - gutter) * (1 + (time - now) / LINE_SECONDS);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.fillStyle = style.color;
    const lane = (height - axis) / CARDS;
    const shown = [...this.lanes.keys()].sort((a, b) => a - b).slice(-CARDS);
    for (let index = 0; index < CARDS; index += 1) {
      context.globalAlpha = 0.12;
      context.fillRect(gutter, lane * (index + 0.5) - 0.5, width - gutter, 1);
    }
    context.globalAlpha = 1;
    shown.forEach((track, index) => {
      const middle = lane * (index + 0.5);
      context.fillStyle = style.color;
      context.fillText(`face ${track}`, 0, middle);
      this.drawLane(context, this.lanes.get(track), x, middle, Math.min(12, lane - 4));
    });
    context.fillStyle = style.color;
    context.globalAlpha = 0.75;
    for (const ago of [30, 20, 10, 0]) {
      context.textAlign = ago === LINE_SECONDS ? "left" : ago ? "center" : "right";
      context.fillText(ago ? `−${ago} s` : "now", x(now - ago), height - axis / 2);
    }
    context.textAlign = "left";
    context.globalAlpha = 1;
  }

  drawLane(context, points, x, middle, thickness) {
    for (const { from, to, emotion, sure } of stretches(points)) {
      const [left, right] = [x(from), x(to)];
      context.fillStyle = this.colours[emotion];
      context.globalAlpha = sure ? 1 : 0.35;
      context.fillRect(left, middle - thickness / 2, Math.max(1, right - left), thickness);
    }
    context.globalAlpha = 1;
  }
}

class Latencies {
  constructor(stages) {
    this.root = element("div", "ferlib-latency");
    const table = this.root.appendChild(element("table"));
    table.setAttribute("aria-label", "Milliseconds of each step, median and 95th percentile");
    const rows = ["milliseconds", "median", "95 %"].map((name) => {
      const row = table.appendChild(element("tr"));
      row.appendChild(element("th", "", name)).scope = "row";
      return row;
    });
    this.cells = stages.map((stage) => {
      rows[0].appendChild(element("th", "", stage)).scope = "col";
      return { stage, p50: rows[1].appendChild(element("td")), p95: rows[2].appendChild(element("td")) };
    });
    this.counts = this.root.appendChild(element("div", "ferlib-counts"));
    this.clear();
  }

  update(summary) {
    const { stages, answered, dropped, failed } = summary;
    for (const { stage, p50, p95 } of this.cells) {
      p50.textContent = stages[stage] ? stages[stage].p50.toFixed(1) : "–";
      p95.textContent = stages[stage] ? stages[stage].p95.toFixed(1) : "–";
    }
    this.counts.textContent = `${answered} frames answered, ${dropped} dropped, ${failed} failed`;
  }

  clear() {
    this.update({ stages: {}, answered: 0, dropped: 0, failed: 0 });
  }
}
