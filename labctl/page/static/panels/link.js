// A link: what is done to it, what that did, and the ladder of what the two ends sent each other.

import { act } from "page/api.js";
import { button, el, field, fill, plain, select } from "page/dom.js";
import { ladder } from "page/panels/ladder.js";
import { SAVED } from "page/source.js";
import { rule, say, told } from "page/words.js";

const SHOWN = 60; // packets of its ladder
const SLIDERS = [
  ["delay", 0, 2000, 10, "ms"],
  ["jitter", 0, 500, 10, "ms"],
  ["loss", 0, 100, 1, "%"],
  ["duplicate", 0, 100, 1, "%"],
  ["reorder", 0, 100, 1, "%"],
  ["corrupt", 0, 100, 1, "%"],
];
const RATES = ["", "8kbit", "64kbit", "1mbit", "10mbit", "100mbit"];
const ONCE = [
  ["dropNext", "drop", "tcp data 1"],
  ["delayNext", "delay", "tcp data 1"],
  ["duplicateNext", "duplicate", "tcp data 1"],
  ["corruptNext", "corrupt", "tcp data 1"],
  ["resetNext", "reset", "tcp data 1"],
  ["dropDatagram", "drop", "udp datagram 1"],
];

export class LinkPanel {
  constructor(page, one, other) {
    Object.assign(this, { page, run: page.run, one, other });
    this.title = `${one} – ${other}`;
    this.way = `${one}:${other}`;
    this.answer = el("p", { class: "answer", role: "status" });
    this.faults = el("ul", { class: "faults" });
    this.drawn = el("div", { class: "ladder", tabindex: 0, role: "region", "aria-label": say("ladder") });
    this.box = el(
      "div",
      {},
      !SAVED && this.conditions(),
      !SAVED && el("h3", {}, say("once")),
      !SAVED && el("div", { class: "buttons" }, ...ONCE.map(([word, what, match]) => button(say(word), () => this.pick(what, match), { "data-once": word }))),
      this.answer,
      el("h3", {}, say("faults")),
      this.faults,
      el("h3", {}, say("ladder")),
      this.drawn,
    );
    this.list();
    this.draw();
  }

  /** The newest is in sight. */
  shown() {
    this.drawn.scrollTop = this.drawn.scrollHeight;
  }

  heard(what, more) {
    if (what === "faults" || what === "loaded") this.list();
    if (what === "loaded" || what === "upkeep" || (what === "items" && more.some((item) => item.type === "packet"))) this.draw();
  }

  conditions() {
    const { one, other } = this;
    const ways = [[`${one}:${other}`, `${one} → ${other}`], [`${other}:${one}`, `${other} → ${one}`], [`${one}-${other}`, say("bothWays")]];
    const inputs = SLIDERS.map(([name, min, max, step, unit]) => {
      const shown = el("output", {}, `0 ${unit}`);
      const input = el("input", { type: "range", min, max, step, value: 0, oninput: () => fill(shown, `${input.value} ${unit}`) });
      input.addEventListener("change", () => fill(shown, `${input.value} ${unit}`));
      return { name, unit, input, shown };
    });
    const rate = select(RATES.map((text) => [text, text || say("unlimited")]), "", () => {});
    const apply = async (event) => {
      event.preventDefault();
      const wanted = inputs.filter(({ input }) => Number(input.value) > 0).map(({ name, unit, input }) => [name, `${input.value}${unit}`]);
      if (rate.value) wanted.push(["rate", rate.value]);
      await this.does("fault", Object.fromEntries(wanted));
    };
    return el(
      "form",
      { onsubmit: apply },
      field(say("direction"), select(ways, this.way, (way) => (this.way = way), { id: "direction" })),
      ...inputs.map(({ name, input, shown }) => el("label", { class: "slider" }, el("span", {}, say(name)), input, shown)),
      field(say("rate"), rate),
      el("button", { type: "submit" }, say("apply")),
    );
  }

  pick(what, match) {
    return this.does("pick", { what, match });
  }

  async does(verb, given) {
    try {
      const done = await act(verb, { link: this.way, ...given });
      fill(this.answer, done.what ? `${done.id}: ${rule(done.what)}` : say("done"));
    } catch (problem) {
      fill(this.answer, plain(problem.message));
    }
  }

  list() {
    const ends = [`${this.one}:${this.other}`, `${this.other}:${this.one}`, `${this.one}:*`, `${this.other}:*`];
    fill(this.faults, ...faultList(this.run.faults.filter((fault) => ends.includes(fault.link)), this.answer));
  }

  draw() {
    fill(this.drawn, ladder(this.one, this.other, this.run.between(this.one, this.other, SHOWN), (item) => this.page.openPacket(item)));
    this.shown();
  }
}

/** Faults with what they did, each with a button that takes it back. */
export function faultList(faults, answer) {
  if (!faults.length) return [el("li", { class: "dim" }, say("noFaults"))];
  const clear = async (which) => {
    try {
      await act("clear", { which });
    } catch (problem) {
      fill(answer, plain(problem.message));
    }
  };
  return faults.map((fault) => {
    const done = Object.entries(fault.done ?? {}).map(([word, count]) => `${told(word)} ${count}`);
    const words = [fault.id, fault.link, rule(fault.what), say("matched", { count: fault.matched ?? "?" }), ...done, told(fault.state)];
    const remove = !SAVED && button(say("remove"), () => clear(fault.id), { "aria-label": `${say("remove")} ${fault.id} ${fault.link}` });
    return el("li", {}, el("span", {}, words.join(" · ")), remove);
  });
}
