// One packet: what became of it, its layers field by field, and its bytes beside them.

import { get } from "page/api.js";
import { button, el, fill, plain } from "page/dom.js";
import { SAVED } from "page/source.js";
import { clock } from "page/timeline.js";
import { known, say, told } from "page/words.js";

export class PacketPanel {
  constructor(page, item) {
    Object.assign(this, { page, run: page.run, item });
    const { value } = item;
    this.title = `${say("packet")} ${value.number}`;
    this.layers = el("div", { class: "layers" });
    this.dump = el("pre", { class: "dump", tabindex: 0, "aria-label": say("bytes") });
    this.box = el(
      "div",
      {},
      el("dl", {}, ...this.facts(value).flatMap(([key, text]) => [el("dt", {}, say(key)), el("dd", {}, plain(text))])),
      this.repeated(value),
      el("h3", {}, say("layers")),
      this.layers,
      el("h3", {}, say("bytes")),
      this.dump,
    );
    this.load(value);
  }

  heard() {}

  facts(value) {
    const time = (ns) => (ns ? clock(ns / 1000) : "–");
    const facts = [
      ["from", `${value.from}  ${value.source.filter((part) => part !== null).join(":")}`],
      ["to", `${value.to}  ${value.target.filter((part) => part !== null).join(":")}`],
      ["fate", known(value.fate)],
      ["sent", time(value.sent_ns)],
      ["arrived", time(value.arrived_ns)],
      ["flow", value.flow],
    ];
    return value.marks.length ? [...facts, ["marks", value.marks.map(told).join("; ")]] : facts;
  }

  repeated(value) {
    const before = this.run.packets.get(value.retransmits);
    return before && el("p", {}, button(say("retransmits", { number: value.retransmits }), () => this.page.openPacket(before)));
  }

  async load(value) {
    try {
      const found = SAVED ? saved(value, this.run.shapes) : await get(`packet/${value.number}`);
      this.show(found.layers, found.bytes);
    } catch {
      fill(this.layers, el("p", { class: "dim" }, say("gonePacket")));
    }
  }

  show(layers, hex) {
    this.hex = hex;
    fill(this.layers, ...layers.map((layer) => this.layer(layer)));
    this.mark(0, 0);
  }

  layer({ level, name, offset, length, fields }) {
    const rows = fields.map((one) => {
      const said = [one.value, one.meaning && `(${told(one.meaning)})`].filter(Boolean).join(" ");
      const mark = () => this.mark(one.offset, one.length);
      return el("button", { type: "button", class: "line-field", onmouseenter: mark, onfocus: mark }, el("span", {}, told(one.name)), el("span", {}, plain(said)));
    });
    const title = `${told(name)}, ${told(level)}, ${length} B`;
    return el("details", { open: true }, el("summary", { onmouseenter: () => this.mark(offset, length) }, title), ...rows);
  }

  /** Shows all bytes, and which of them a field is. */
  mark(offset, length) {
    const lines = [];
    const count = this.hex.length / 2;
    for (let at = 0; at < count; at += 16) {
      lines.push(`${at.toString(16).padStart(4, "0")}  `);
      let shown = "";
      for (let place = at; place < at + 16; place += 1) {
        const byte = this.hex.slice(place * 2, place * 2 + 2);
        const is = place >= offset && place < offset + length;
        lines.push(is ? el("mark", {}, byte) : byte.padEnd(2), " ");
        const code = parseInt(byte, 16);
        shown += code >= 32 && code < 127 ? String.fromCharCode(code) : byte ? "." : "";
      }
      lines.push(` ${shown}\n`);
    }
    fill(this.dump, ...lines);
  }
}

/** A packet of a saved run (labctl/render/runs/shapes.py). */
function saved(value, shapes) {
  const text = value.bytes ? atob(value.bytes) : "";
  const bytes = [...text].map((one) => one.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const layers = (value.layers ?? []).map(([number, ...values]) => {
    const shape = shapes[number];
    const fields = shape.fields.map(([name, meaning, offset, length], at) => ({ name, meaning, offset, length, value: values[at] }));
    return { ...shape, fields };
  });
  return { layers, bytes };
}
