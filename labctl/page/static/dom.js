// Elements and text: what came from the network is only ever text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element with attributes (`onclick` is a listener) and children, which are nodes or texts. */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A button with a text. */
export function button(text, act, attributes) {
  return el("button", { type: "button", onclick: act, ...attributes }, text);
}

/** A field with its label. */
export function field(label, input, attributes) {
  return el("label", { class: "field", ...attributes }, el("span", {}, label), input);
}

/** A choice of [value, text] pairs. */
export function select(choices, value, changed, attributes) {
  const made = el("select", { onchange: () => changed(made.value), ...attributes });
  made.append(...choices.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return made;
}

/** Replaces what is in an element. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

/** A colour of the theme. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What control and bidirectional characters would hide or turn around is shown by its number. */
export function plain(text) {
  return String(text).replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (one) =>
    one === "\t" ? " " : `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A function that does it in the next frame, and not again before so many milliseconds have passed. */
export function seldom(act, between) {
  let waits = false;
  let last = -Infinity;
  const now = () => {
    waits = false;
    last = performance.now();
    act();
  };
  return () => {
    if (waits) return;
    waits = true;
    const left = last + between - performance.now();
    if (left <= 0) requestAnimationFrame(now);
    else setTimeout(() => requestAnimationFrame(now), left);
  };
}
