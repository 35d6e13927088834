// What two hosts sent each other: time goes down, each packet is an arrow; a lost one's ends on its way.

import { el, plain, svg } from "page/dom.js";
import { say, told } from "page/words.js";

const WIDTH = 420;
const [LEFT, RIGHT] = [24, WIDTH - 24];
const HIGH = 38;
const REACH = 0.7; // of the way of a lost one: the time stands in the middle

export function ladder(one, other, items, open) {
  if (!items.length) return el("p", { class: "dim" }, say("noPackets"));
  const height = items.length * HIGH + 34;
  const begin = items[0].t;
  const line = (x) => svg("line", { x1: x, x2: x, y1: 20, y2: height, class: "life" });
  const head = (x, anchor, name) => svg("text", { x, y: 14, "text-anchor": anchor, class: "end" }, name);
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, width: "100%", role: "img", "aria-label": `${say("ladder")}: ${one}, ${other}` },
    line(LEFT),
    line(RIGHT),
    head(6, "start", one),
    head(WIDTH - 6, "end", other),
    ...items.map((item, at) => arrow(item, one, 34 + at * HIGH, begin, open)),
  );
}

/** How much later, from microseconds. */
function after(us) {
  return us < 1e6 ? `+${(us / 1000).toFixed(3)} ms` : `+${(us / 1e6).toFixed(3)} s`;
}

function arrow(item, left, y, begin, open) {
  const { value } = item;
  const lost = value.fate === "lost";
  const rightwards = value.from === left;
  const [x1, whole] = rightwards ? [LEFT, RIGHT] : [RIGHT, LEFT];
  const x2 = lost ? x1 + (whole - x1) * REACH : whole;
  const sign = rightwards ? -1 : 1;
  const kind = lost ? "lost" : value.marks.length ? "odd" : value.phase;
  const head = lost
    ? `M${x2 - 5} ${y + 3}l10 10m0 -10l-10 10`
    : `M${x2 + sign * 8} ${y + 4}L${x2} ${y + 8}L${x2 + sign * 8} ${y + 12}`;
  const text = plain([...value.label.slice(0, 2), value.text && JSON.stringify(value.text), ...value.marks.map(told)].filter(Boolean).join("  "));
  const short = text.length > 58 ? `${text.slice(0, 57)}…` : text;
  return svg(
    "g",
    { class: `arrow ${kind}`, onclick: () => open(item), "data-packet": value.number },
    svg("rect", { x: LEFT, y: y - 12, width: RIGHT - LEFT, height: HIGH - 4, class: "hit" }),
    svg("line", { x1, y1: y + 8, x2, y2: y + 8 }),
    svg("path", { d: head }),
    svg("text", { x: WIDTH / 2, y: y + 3, "text-anchor": "middle" }, short),
    svg("text", { x: WIDTH / 2, y: y + 20, "text-anchor": "middle", class: "when" }, after(item.t - begin)),
  );
}
