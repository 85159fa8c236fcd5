import assert from "node:assert/strict";
import test from "node:test";

import { UPLOAD, fakeElement, load } from "./load.mjs";

globalThis.document = { createElement: fakeElement };
const { DropZone, megabytes } = await load(UPLOAD, ["DropZone", "megabytes"]);

function zone(traits) {
  const status = { replaceChildren() {} };
  const model = { get: (name) => traits[name] };
  return Object.assign(Object.create(DropZone.prototype), {
    model, status, waiting: [], sentences: [], current: { name: "under way" },
  });
}

test("sizes are told in megabytes", () => {
  assert.equal(megabytes(1_240_000), "1.2 MB");
  assert.equal(megabytes(100_000_000), "100 MB");
});

test("empty and large files get a sentence, the others wait for their turn", () => {
  const files = [{ name: "none", size: 0 }, { name: "large", size: 3_000_001 }, { name: "good", size: 3_000_000 }];
  const drop = zone({ multiple: true, limit: 3_000_000 });
  drop.add(files);
  assert.deepEqual(drop.waiting.map(({ name }) => name), ["good"]);
  assert.match(drop.sentences[0], /^none is empty \(0 bytes\)/);
  assert.match(drop.sentences[1], /^large has 3\.0 MB, and 3\.0 MB is the most/);
});

test("a zone for one file takes the first one", () => {
  const drop = zone({ multiple: false, limit: 100 });
  drop.add([{ name: "a", size: 1 }, { name: "b", size: 1 }]);
  assert.deepEqual(drop.waiting.map(({ name }) => name), ["a"]);
});
