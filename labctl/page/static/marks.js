// What moves: each packet a mark that travels its way; a lost one falls where it was lost, and is joined to the one that
// repeats it. One transparent canvas above the graph.

import { colour } from "page/dom.js";
import { eventName } from "page/words.js";

const MOST = 14; // marks on one way at the same time; more are summed up
const ALL = 80; // marks on all ways; more are summed up by the host that sent them
const LIVE = 700; // ms that a mark travels, live
const FALL = 0.3; // of the way, after which a lost packet falls: faults act where it is sent
const LINGER = 9000; // ms that the place of a loss is shown
const BETWEEN = 24; // ms between two pictures, where marks are summed up: every second frame is left to what is dragged

export class Marks {
  /** `summed(is)` is called when marks begin or cease to be summed up. */
  constructor(canvas, graph, run, summed) {
    Object.assign(this, { canvas, graph, run, summed });
    this.marks = [];
    this.losses = new Map(); // by the packet's number
    this.sums = new Map(); // by the way: how many, and until when that is shown
    this.pulses = new Map();
    this.labels = true;
    this.isSummed = false;
    this.drawn = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    graph.cy.on("pan zoom resize position", () => this.wake());
    new ResizeObserver(() => this.fit()).observe(canvas.parentElement);
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    const ratio = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    this.canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    this.wake();
  }

  clear() {
    this.marks = [];
    this.losses.clear();
    this.sums.clear();
    this.pulses.clear();
    this.wake();
  }

  /** Shows what happened just now. */
  happen(items) {
    for (const item of items) this.show(item, LIVE);
  }

  /** Shows one item for `length` ms; `still`: at its end, without moving. */
  show(item, length, still = false) {
    if (!item) return;
    const now = performance.now();
    if (item.type === "event") {
      this.pulses.set(item.host, { until: now + (still ? 60000 : length), text: eventName(item.kind), trouble: item.trouble });
      if (!this.tellsPackets() && item.kind === "send") this.ofSend(item, now, length, still);
    } else {
      this.add(item.value, now, length, still);
    }
    this.wake();
  }

  tellsPackets() {
    return this.run.up.recording;
  }

  /** Where no packets are recorded, what programs sent is shown. */
  ofSend(item, now, length, still) {
    const to = item.value.peer && this.run.owner(item.value.peer[0]);
    const value = { from: item.host, to, label: [item.value.text ?? item.kind], text: "", fate: "delivered", marks: [] };
    if (to) this.add({ ...value, phase: "data" }, now, length, still);
  }

  add(packet, now, length, still) {
    const path = this.graph.path(packet.from, packet.to);
    if (!path) return;
    const way = `${packet.from} ${packet.to}`;
    const many = this.marks.length >= ALL;
    if (!still && (many || this.marks.filter((mark) => mark.way === way).length >= MOST)) {
      this.sum(many ? packet.from : way, path, now);
      return;
    }
    const lost = packet.fate === "lost";
    const begin = still || this.calm.matches ? now - length : now;
    this.marks.push({ packet, path, way, lost, begin, length, until: begin + length + (still ? 60000 : lost ? 700 : 150) });
    if (lost) this.losses.set(packet.number, { path, until: now + LINGER });
    const repeated = this.losses.get(packet.retransmits);
    if (repeated) repeated.until = now + LINGER;
  }

  /** One more of those that are not shown each by itself. */
  sum(key, path, now) {
    const sum = this.sums.get(key) ?? { count: 0, path };
    sum.count += 1;
    sum.until = now + 1200;
    this.sums.set(key, sum);
  }

  wake() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const now = performance.now();
    if (this.isSummed && now - this.drawn < BETWEEN) return this.wake();
    this.drawn = now;
    const paint = this.canvas.getContext("2d");
    paint.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.marks = this.marks.filter((mark) => mark.until > now);
    for (const kept of [this.losses, this.sums, this.pulses])
      for (const [key, one] of kept) if (one.until <= now) kept.delete(key);
    const inks = this.inks(now);
    for (const [host, pulse] of this.pulses) this.pulse(paint, host, pulse, inks);
    for (const loss of this.losses.values()) this.cross(paint, place(this.graph.points(loss.path), FALL), inks);
    for (const mark of this.marks) this.mark(paint, mark, now, inks);
    for (const sum of this.sums.values()) this.pill(paint, place(this.graph.points(sum.path), 0.3), `×${sum.count}`, inks);
    if (this.sums.size > 0 !== this.isSummed) {
      this.isSummed = this.sums.size > 0;
      this.summed(this.isSummed);
    }
    if (this.marks.some((mark) => mark.until < now + 30000) || this.sums.size || this.losses.size || this.moving(now)) this.wake();
  }

  /** The theme's colours, which are looked up twice a second at most. */
  inks(now) {
    if (!this.known || now > this.known.until) {
      const names = ["good", "bad", "accent", "warn", "ink", "ground"];
      this.known = { until: now + 500, inks: Object.fromEntries(names.map((name) => [name, colour(name)])) };
    }
    return this.known.inks;
  }

  moving(now) {
    return [...this.pulses.values()].some((pulse) => pulse.until < now + 30000);
  }

  mark(paint, mark, now, inks) {
    const points = this.graph.points(mark.path);
    if (points.length < 2) return;
    const done = Math.min(1, (now - mark.begin) / mark.length);
    const at = place(points, mark.lost ? Math.min(done, FALL) : done);
    const odd = mark.packet.marks.length > 0;
    paint.fillStyle = mark.lost ? inks.bad : odd ? inks.warn : mark.packet.phase === "data" ? inks.accent : inks.good;
    if (mark.lost && done > FALL) {
      at.y += ((done - FALL) / (1 - FALL)) * 46;
      paint.globalAlpha = Math.max(0.15, 1 - (done - FALL) / (1 - FALL) / 1.4);
    }
    const joined = this.losses.get(mark.packet.retransmits);
    if (joined) this.join(paint, place(this.graph.points(joined.path), FALL), at, inks);
    paint.beginPath();
    paint.arc(at.x, at.y, 6, 0, 7);
    paint.fill();
    paint.globalAlpha = 1;
    if (this.labels && this.marks.length < 12) this.label(paint, at, said(mark.packet), inks);
  }

  join(paint, from, to, inks) {
    paint.strokeStyle = inks.warn;
    paint.setLineDash([4, 4]);
    paint.lineWidth = 1.5;
    paint.beginPath();
    paint.moveTo(from.x, from.y);
    paint.quadraticCurveTo((from.x + to.x) / 2, Math.max(from.y, to.y) + 40, to.x, to.y);
    paint.stroke();
    paint.setLineDash([]);
  }

  cross(paint, at, inks) {
    paint.strokeStyle = inks.bad;
    paint.lineWidth = 3;
    paint.beginPath();
    for (const [x, y] of [[-5, -5], [5, -5]]) {
      paint.moveTo(at.x + x, at.y + y);
      paint.lineTo(at.x - x, at.y - y);
    }
    paint.stroke();
  }

  pulse(paint, host, pulse, inks) {
    const [at] = this.graph.points([`h:${host}`]);
    if (!at) return;
    paint.strokeStyle = pulse.trouble ? inks.bad : inks.accent;
    paint.lineWidth = 2;
    const zoom = this.graph.cy.zoom();
    paint.strokeRect(at.x - 55 * zoom, at.y - 29 * zoom, 110 * zoom, 58 * zoom);
    if (this.labels && this.pulses.size < 12) this.label(paint, { x: at.x - 45 * zoom, y: at.y + 42 * zoom }, pulse.text, inks);
  }

  pill(paint, at, text, inks) {
    paint.font = "bold 12px system-ui, sans-serif";
    const width = paint.measureText(text).width + 14;
    paint.fillStyle = inks.accent;
    paint.beginPath();
    paint.roundRect(at.x - width / 2, at.y - 11, width, 22, 11);
    paint.fill();
    paint.fillStyle = inks.ground;
    paint.fillText(text, at.x - width / 2 + 7, at.y + 4);
  }

  label(paint, at, text, inks) {
    paint.font = "12px system-ui, sans-serif";
    const width = paint.measureText(text).width;
    paint.globalAlpha = 0.88;
    paint.fillStyle = inks.ground;
    paint.fillRect(at.x + 9, at.y - 9, width + 6, 18);
    paint.globalAlpha = 1;
    paint.fillStyle = inks.ink;
    paint.fillText(text, at.x + 12, at.y + 4);
  }
}

function said(packet) {
  const text = packet.text ? ` ${JSON.stringify(packet.text)}` : "";
  const whole = `${packet.label[0]}${text}`;
  return whole.length > 40 ? `${whole.slice(0, 39)}…` : whole;
}

/** The point at a share of the way along some points. */
function place(points, share) {
  const lengths = points.slice(1).map((point, at) => Math.hypot(point.x - points[at].x, point.y - points[at].y));
  let left = lengths.reduce((sum, one) => sum + one, 0) * share;
  for (const [at, length] of lengths.entries()) {
    if (left <= length || at === lengths.length - 1) {
      const part = length ? Math.min(1, left / length) : 0;
      const [a, b] = [points[at], points[at + 1]];
      return { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
    }
    left -= length;
  }
  return { ...(points[0] ?? { x: -99, y: -99 }) };
}
