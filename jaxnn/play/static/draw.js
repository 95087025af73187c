// Colours, marks and small helpers of drawing.

// Okabe and Ito's colours, which readers with any colour vision can tell apart, and three more for ten classes.
export const COLOURS = [
  [0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233],
  [213, 94, 0], [240, 228, 66], [120, 94, 60], [130, 130, 130], [106, 61, 154],
];

export const css = (colour) => `rgb(${colour.join(" ")})`;

/** An element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A mark for a class: besides its colour, each class has a form of its own. */
export function mark(context, form, x, y, size) {
  context.beginPath();
  const s = size;
  switch (form % 5) {
    case 0: context.arc(x, y, s, 0, 2 * Math.PI); break;
    case 1: context.rect(x - s * 0.9, y - s * 0.9, s * 1.8, s * 1.8); break;
    case 2: context.moveTo(x, y - s * 1.2); context.lineTo(x + s * 1.1, y + s * 0.8); context.lineTo(x - s * 1.1, y + s * 0.8); context.closePath(); break;
    case 3: context.moveTo(x, y - s * 1.3); context.lineTo(x + s * 1.3, y); context.lineTo(x, y + s * 1.3); context.lineTo(x - s * 1.3, y); context.closePath(); break;
    default: context.moveTo(x, y + s * 1.2); context.lineTo(x + s * 1.1, y - s * 0.8); context.lineTo(x - s * 1.1, y - s * 0.8); context.closePath();
  }
}

// From orange for −1 over white for 0 to blue for 1.
const SIGNED = new Uint8ClampedArray(256 * 4);
for (let i = 0; i < 256; i++) {
  const t = (i - 128) / 127;
  const end = t < 0 ? [213, 94, 0] : [0, 90, 170];
  const share = Math.min(1, Math.abs(t));
  SIGNED.set([...end.map((c) => 246 + (c - 246) * share), 255], 4 * i);
}

/** Draws a map of signed bytes into a canvas, a pixel for each place; `flip`: the first row is the lowest. */
export function drawMap(canvas, data, height, width, flip) {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row++) {
    const from = (flip ? height - 1 - row : row) * width;
    for (let i = 0; i < width; i++) {
      const at = 4 * data[from + i], to = 4 * (row * width + i);
      image.data[to] = SIGNED[at]; image.data[to + 1] = SIGNED[at + 1]; image.data[to + 2] = SIGNED[at + 2]; image.data[to + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export const signedColour = (byte) => `rgb(${SIGNED[4 * byte]} ${SIGNED[4 * byte + 1]} ${SIGNED[4 * byte + 2]})`;

/** A number with four digits that say something. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(3);
  return String(Number(value.toPrecision(4)));
}
