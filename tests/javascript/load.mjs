// The browser's files as the widgets join them, with names exported that only tests need.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const FOLDER = new URL("../../ferlib/apps/jupyter/browser/", import.meta.url);
export const CAMERA = ["overlay.js", "panel.js", "camera.js"]; // as `SCRIPTS` in ferlib/apps/jupyter/camera.py
export const UPLOAD = ["upload.js"];

export async function load(files, names) {
  const script = files.map((name) => readFileSync(new URL(name, FOLDER), "utf8")).join("\n");
  const folder = mkdtempSync(join(tmpdir(), "ferlib-")); // a file: error messages quote a data URL at full length
  const path = join(folder, "joined.mjs");
  try {
    writeFileSync(path, `${script}\nexport { ${names.join(", ")} };\n`);
    return await import(pathToFileURL(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// An element of a page, as far as the cards use it.
export function fakeElement(tag) {
  const classes = new Set();
  return {
    tag,
    children: [],
    attributes: {},
    textContent: "",
    style: { setProperty() {}, removeProperty() {} },
    classList: {
      add: (...names) => names.forEach((name) => classes.add(name)),
      remove: (...names) => names.forEach((name) => classes.delete(name)),
      toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
      contains: (name) => classes.has(name),
    },
    appendChild(child) {
      this.children.push(child);
      return child;
    },
    setAttribute(name, value) {
      this.attributes[name] = value;
    },
    removeAttribute(name) {
      delete this.attributes[name];
    },
  };
}
