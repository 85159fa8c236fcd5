import assert from "node:assert/strict";
import test from "node:test";

import { CAMERA, fakeElement, load } from "./load.mjs";

globalThis.document = { createElement: fakeElement };
const { Cards, stretches } = await load(CAMERA, ["Cards", "stretches"]);

const point = (time, emotion = "happy", sure = true) => ({ time, emotion, sure });
const face = (track, label = "happy 93 %") => ({ track, label, emotion: "happy", sure: true, probabilities: [0.93, 0.07] });
const labels = (cards) => cards.cards.map((card) => card.label.textContent);

test("points of one emotion are one stretch, up to the next one", () => {
  const points = [point(0), point(0.1), point(0.2, "sad"), point(0.3, "sad")];
  assert.deepEqual(stretches(points), [
    { from: 0, to: 0.2, emotion: "happy", sure: true },
    { from: 0.2, to: 0.3, emotion: "sad", sure: true },
  ]);
});

test("doubt and a face out of sight end a stretch", () => {
  const points = [point(0), point(0.1, "happy", false), point(5, "happy", false)];
  assert.deepEqual(stretches(points), [
    { from: 0, to: 0.1, emotion: "happy", sure: true },
    { from: 0.1, to: 0.1, emotion: "happy", sure: false },
    { from: 5, to: 5, emotion: "happy", sure: false },
  ]);
  assert.deepEqual(stretches([]), []);
});

test("a card shows the kernel's label", () => {
  const cards = new Cards(["happy", "sad"], {});
  cards.update([face(1), face(2, "not sure")], 0);
  assert.deepEqual(labels(cards), ["happy 93 %", "not sure", "–", "–"]);
  assert.equal(cards.cards[1].root.attributes["aria-label"], "Face 2: not sure");
  assert.equal(cards.cards[0].bars[1].value.textContent, "7 %");
});

test("a face keeps its card while others come and go", () => {
  const cards = new Cards(["happy", "sad"], {});
  cards.update([1, 2, 3].map((track) => face(track)), 0);
  cards.update([face(3), face(4)], 1);
  assert.deepEqual(cards.cards.map((card) => card.track), [1, 2, 3, 4]);
  cards.update([face(3), face(4)], 2.5);
  assert.deepEqual(cards.cards.map((card) => card.track), [null, null, 3, 4]);
});

test("faces without a card are counted", () => {
  const cards = new Cards(["happy", "sad"], {});
  cards.update([1, 2, 3, 4, 5].map((track) => face(track)), 0);
  assert.equal(cards.more.textContent, "and 1 more face");
  cards.update([1, 2, 3, 4, 5, 6].map((track) => face(track)), 0.1);
  assert.equal(cards.more.textContent, "and 2 more faces");
  cards.update([], 0.2);
  cards.update([face(9)], 0.3); // takes the card of a face that has just gone
  assert.equal(cards.more.textContent, "");
});
