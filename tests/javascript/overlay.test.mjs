import assert from "node:assert/strict";
import test from "node:test";

import { CAMERA, load } from "./load.mjs";

const { placeIn, inkOn, percent, drawAnswer } = await load(CAMERA, ["placeIn", "inkOn", "percent", "drawAnswer"]);
globalThis.window = { devicePixelRatio: 2 };

test("a picture lies in the middle of its element, whole", () => {
  const element = { clientWidth: 800, clientHeight: 600 };
  assert.deepEqual(placeIn(element, 640, 480), { scale: 1.25, left: 0, top: 0, right: 800, bottom: 600 });
  assert.deepEqual(placeIn(element, 100, 200), { scale: 3, left: 250, top: 0, right: 550, bottom: 600 });
});

test("ink is dark on light colours and light on dark ones", () => {
  assert.equal(inkOn("#ffffff"), "#0c0d10");
  assert.equal(inkOn("#e69f00"), "#0c0d10");
  assert.equal(inkOn("#000000"), "#fafbfc");
  assert.equal(inkOn("#3b3b8f"), "#fafbfc");
});

test("probabilities are rounded to percents", () => {
  assert.deepEqual([0, 0.004, 0.876, 1].map(percent), ["0 %", "0 %", "88 %", "100 %"]);
});

// Records what is drawn; a letter is 7 pixels wide.
function canvas(width, height) {
  const boxes = [];
  const texts = [];
  const context = {
    boxes, texts,
    setTransform() {}, clearRect() {}, setLineDash() {}, beginPath() {}, stroke() {}, fill() {}, arc() {},
    roundRect: (x, y, w, h) => boxes.push([x, y, w, h]),
    measureText: (text) => ({ width: 7 * text.length }),
    fillText: (text, x, y) => texts.push({ text, x, y }),
  };
  return { clientWidth: width, clientHeight: height, width: 0, height: 0, context, getContext: () => context };
}

const FACE = { track: 3, box: [200, 100, 400, 360], landmarks: [[260, 180]], emotion: "happy", label: "happy 93 %", sure: true };
const ANSWER = { width: 640, height: 480, faces: [FACE] };

test("the kernel's label stands beside the number of the track", () => {
  const { context, ...rest } = canvas(640, 480);
  drawAnswer({ context, ...rest }, ANSWER, { happy: "#e69f00" }, false);
  assert.deepEqual(context.boxes[0], [200, 100, 200, 260]);
  assert.deepEqual(context.texts.map(({ text }) => text), ["3", "happy 93 %"]);
});

test("a mirrored picture has mirrored boxes, and text that can be read", () => {
  const { context, ...rest } = canvas(320, 240);
  drawAnswer({ context, ...rest }, ANSWER, { happy: "#e69f00" }, true);
  assert.deepEqual(context.boxes[0], [120, 50, 100, 130]);
  assert.deepEqual(context.texts.map(({ text }) => text), ["3", "happy 93 %"]);
});

test("a label never leaves the picture", () => {
  for (const box of [[0, 0, 40, 40], [600, 0, 640, 40], [600, 440, 640, 480], [0, 440, 40, 480]]) {
    const { context, ...rest } = canvas(640, 480);
    drawAnswer({ context, ...rest }, { ...ANSWER, faces: [{ ...FACE, box }] }, { happy: "#e69f00" }, false);
    const [left, top, width, height] = context.boxes[2]; // after the box, which is drawn twice
    assert.ok(left >= 0 && top >= 0 && left + width <= 640 && top + height <= 480, `${context.boxes[2]}`);
  }
});

test("no answer, or one of a frame that failed, clears the canvas", () => {
  for (const answer of [null, { width: 0, height: 0, faces: [] }]) {
    const { context, ...rest } = canvas(640, 480);
    drawAnswer({ context, ...rest }, answer, {}, false);
    assert.deepEqual([context.boxes, context.texts], [[], []]);
  }
});
