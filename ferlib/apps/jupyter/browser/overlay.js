// Boxes, landmarks and labels of one answer, on a canvas that lies over the picture.
// The files of this folder are joined into one module by ferlib/apps/jupyter/camera.py; only camera.js exports something.

const UNSURE_COLOUR = "#8c8c8c";

// Where a picture of width x height lies in an element that shows it whole ("object-fit: contain").
function placeIn(element, width, height) {
  const scale = Math.min(element.clientWidth / width, element.clientHeight / height);
  return {
    scale,
    left: (element.clientWidth - scale * width) / 2,
    top: (element.clientHeight - scale * height) / 2,
    right: (element.clientWidth + scale * width) / 2,
    bottom: (element.clientHeight + scale * height) / 2,
  };
}

// Black or white, whichever is more legible on a colour "#rrggbb" (WCAG 2 relative luminance).
function inkOn(colour) {
  const channels = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#0c0d10" : "#fafbfc";
}

function percent(value) {
  return `${Math.round(100 * value)} %`;
}

// The canvas gets the size of its element in device pixels, so that lines and text are sharp.
function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

// `answer` as LiveSession.answer gives it, with the text of each face as its `label`; `colours` maps an emotion to "#rrggbb"; a mirrored picture has mirrored
// boxes, but no mirrored text.
function drawAnswer(canvas, answer, colours, mirror) {
  const context = fitted(canvas);
  if (!answer || !answer.width) return;
  const place = placeIn(canvas, answer.width, answer.height);
  const across = (x) => place.left + place.scale * (mirror ? answer.width - x : x);
  const down = (y) => place.top + place.scale * y;
  for (const face of answer.faces) {
    const colour = face.sure ? colours[face.emotion] : UNSURE_COLOUR;
    const [x1, y1, x2, y2] = face.box;
    const box = [Math.min(across(x1), across(x2)), down(y1), place.scale * (x2 - x1), place.scale * (y2 - y1)];
    drawBox(context, box, colour, face.sure);
    for (const [x, y] of face.landmarks) drawPoint(context, across(x), down(y));
    drawLabel(context, box, `${face.track}`, face.label, colour, place);
  }
}

function drawBox(context, [x, y, width, height], colour, solid) {
  const radius = Math.min(8, width / 4, height / 4);
  context.setLineDash(solid ? [] : [6, 5]);
  for (const [style, line] of [["rgba(0, 0, 0, 0.45)", 4.5], [colour, 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = line;
    context.beginPath();
    context.roundRect(x, y, width, height, radius);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawPoint(context, x, y) {
  context.beginPath();
  context.arc(x, y, 2.2, 0, 2 * Math.PI);
  context.fillStyle = "rgba(255, 255, 255, 0.92)";
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.lineWidth = 1;
  context.fill();
  context.stroke();
}

// Track number and label above the box, or in it where there is no room; never outside the picture.
function drawLabel(context, [x, y], number, text, colour, place) {
  const height = 22;
  context.font = "600 13px system-ui, sans-serif";
  context.textBaseline = "middle";
  const numberWidth = context.measureText(number).width + 12;
  const width = numberWidth + context.measureText(text).width + 16;
  const left = Math.max(place.left, Math.min(x - 1, place.right - width));
  const top = Math.max(place.top, Math.min(y - height - 3 >= place.top ? y - height - 3 : y + 3, place.bottom - height));
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, top, width, height, 5);
  context.fill();
  context.fillStyle = "rgba(0, 0, 0, 0.6)";
  context.beginPath();
  context.roundRect(left, top, numberWidth, height, [5, 0, 0, 5]);
  context.fill();
  context.fillStyle = "#fafbfc";
  context.fillText(number, left + 6, top + height / 2 + 0.5);
  context.fillStyle = inkOn(colour);
  context.fillText(text, left + numberWidth + 8, top + height / 2 + 0.5);
}
