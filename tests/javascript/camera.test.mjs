import assert from "node:assert/strict";
import test from "node:test";

import { CAMERA, load } from "./load.mjs";

const { CameraView, SENTENCES, sizeWithin, whyNot } = await load(CAMERA, [
  "CameraView", "SENTENCES", "sizeWithin", "whyNot",
]);

function page(protocol, theme) {
  globalThis.location = { protocol };
  globalThis.document = { body: { hasAttribute: (name) => theme && name === "data-vscode-theme-kind" } };
}

test("a picture is scaled down to the longest side, never up", () => {
  assert.deepEqual(sizeWithin(1280, 1920, 1080), [1280, 720]);
  assert.deepEqual(sizeWithin(1280, 1080, 1920), [720, 1280]);
  assert.deepEqual(sizeWithin(1280, 640, 480), [640, 480]);
});

test("each reason for no camera has a sentence", () => {
  page("http:", false);
  const reasons = {
    NotAllowedError: "denied", SecurityError: "denied", NotReadableError: "busy", AbortError: "busy",
    NotFoundError: "none", OverconstrainedError: "none",
  };
  for (const [name, reason] of Object.entries(reasons)) {
    assert.equal(whyNot({ name }), reason);
    assert.match(SENTENCES[reason], /\.$/);
  }
  assert.equal(whyNot({ name: "TypeError" }), null);
});

test("VS Code is named where it forbids the camera", () => {
  page("vscode-webview:", false);
  assert.equal(whyNot({ name: "NotAllowedError" }), "vscode");
  page("https:", true);
  assert.equal(whyNot({ name: "NotAllowedError" }), "vscode");
});

test("a kernel that is the slower part gets one frame at a time", () => {
  const view = Object.assign(Object.create(CameraView.prototype), { model: { get: () => 3 } });
  view.kernelShare = 0.2;
  assert.equal(view.mostInFlight(), 3);
  view.kernelShare = 0.8;
  assert.equal(view.mostInFlight(), 1);
});
