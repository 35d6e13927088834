// One host: how it is, its keyboard, its sockets, its journal.

import { act } from "page/api.js";
import { button, el, field, fill, plain } from "page/dom.js";
import { SAVED } from "page/source.js";
import { clock, kindOf, shown } from "page/timeline.js";
import { known, say } from "page/words.js";

const SHOWN = 40; // lines of its journal
const LOOK = 2500; // ms between two looks at its sockets
const typed = new Map(); // by host: what was typed, for the arrow keys

export class HostPanel {
  constructor(page, name) {
    Object.assign(this, { page, run: page.run, name });
    this.title = name;
    this.facts = el("dl", {});
    this.answer = el("p", { class: "answer", role: "status" });
    this.journal = el("ol", { class: "journal" });
    this.sockets = el("div", {});
    this.links = el("div", { class: "buttons" });
    this.terminal = el("div", { class: "shell-box" });
    this.actions = el("div", { class: "buttons" });
    this.box = el(
      "div",
      {},
      this.facts,
      !SAVED && this.keyboard(),
      !SAVED && this.actions,
      this.answer,
      this.terminal,
      !SAVED && this.program(),
      el("h3", {}, say("links")),
      this.links,
      !SAVED && el("h3", {}, say("sockets")),
      !SAVED && this.sockets,
      el("h3", {}, say("journal")),
      this.journal,
    );
    this.refresh();
    this.tell();
    if (!SAVED) this.watch();
  }

  async openShell() {
    const { Shell } = await import("page/shell.js");
    this.shell?.close();
    this.shell = new Shell(this.name, this.terminal, (problem) => fill(this.answer, plain(problem)));
  }

  close() {
    this.shell?.close();
    clearInterval(this.timer);
  }

  heard(what) {
    if (what === "topology" || what === "up" || what === "loaded") this.refresh();
    if (what === "items" || what === "loaded") this.tell();
  }

  refresh() {
    const node = this.run.host(this.name);
    const lines = node?.networks.map((net) => `${net.addresses.join(", ")} (${net.name})`) ?? [];
    const state = this.run.up.up ? (node?.state ?? "?") : "?";
    const facts = [["state", known(state)], ["role", node?.role ?? "–"], ["addresses", lines.join("; ") || "–"]];
    if (node?.machine) facts.push(["machine", node.machine]);
    fill(this.facts, ...facts.flatMap(([key, value]) => [el("dt", {}, say(key)), el("dd", {}, value)]));
    const near = this.run.neighbours(this.name);
    fill(this.links, ...near.slice(0, 30).map((other) => button(`${this.name} – ${other}`, () => this.page.openLink(this.name, other), { "data-link": other })));
    const runs = /^(ready|running|healthy|unhealthy|starting)/.test(state);
    const paused = state.startsWith("paused");
    const verbs = runs ? ["stop", "restart", "pause", "kill"] : paused ? ["unpause", "kill"] : ["start"];
    const key = verbs.join();
    if (key === this.verbs) return;
    this.verbs = key;
    const shell = runs && this.run.shell && button(say("shell"), () => this.openShell(), { "data-verb": "shell" });
    fill(this.actions, ...verbs.map((verb) => button(say(verb), () => this.does(verb, {}), { "data-verb": verb })), shell);
  }

  keyboard() {
    const lines = typed.get(this.name) ?? [];
    typed.set(this.name, lines);
    let place = lines.length;
    const input = el("input", { type: "text", id: "keyboard", autocomplete: "off", spellcheck: "false", placeholder: say("typeHere", { host: this.name }) });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      place = Math.max(0, Math.min(lines.length, place + step));
      input.value = lines[place] ?? "";
    });
    const send = async (event) => {
      event.preventDefault();
      const text = input.value;
      lines.push(text);
      place = lines.length;
      input.value = "";
      await this.does("type", { text });
    };
    return el("form", { class: "line", onsubmit: send }, field(say("keyboard"), input), el("button", { type: "submit" }, say("send")));
  }

  program() {
    const output = el("pre", { class: "output", hidden: true, tabindex: 0 });
    const input = el("input", { type: "file", accept: ".py,text/x-python" });
    input.addEventListener("change", async () => {
      const [chosen] = input.files;
      if (!chosen) return;
      const done = await this.does("run", { name: chosen.name, program: await chosen.text() });
      input.value = "";
      if (!done) return;
      output.hidden = false;
      fill(output, done.output, done.errors);
      fill(this.answer, say("ended", { status: done.status }));
    });
    return el("div", {}, field(say("runFile"), input), output);
  }

  async does(verb, given) {
    fill(this.answer, "…");
    try {
      const done = await act(verb, { node: this.name, ...given });
      fill(this.answer, "");
      return done;
    } catch (problem) {
      fill(this.answer, plain(problem.message));
      return null;
    }
  }

  watch() {
    const look = async () => {
      if (document.hidden || this.busy || !this.run.up.up) return;
      this.busy = true;
      try {
        this.list((await act("sockets", { node: this.name })).sockets);
      } catch {
        fill(this.sockets, el("p", { class: "dim" }, "–"));
      }
      this.busy = false;
    };
    this.timer = setInterval(look, LOOK);
    look();
  }

  list(sockets) {
    const end = (address) => (address ? address.join(":") : "–");
    const rows = sockets.map((one) =>
      el("tr", {}, ...[one.proto, one.state, end(one.local), end(one.peer)].map((text) => el("td", {}, text))),
    );
    fill(this.sockets, rows.length ? el("table", {}, el("tbody", {}, ...rows)) : el("p", { class: "dim" }, say("noSockets")));
  }

  tell() {
    const mine = [];
    for (let at = this.run.items.length - 1; at >= 0 && mine.length < SHOWN; at -= 1) {
      const item = this.run.items[at];
      if (item.type === "event" && item.host === this.name) mine.push(item);
    }
    fill(this.journal, ...mine.reverse().map((item) => el("li", { class: item.trouble ? "trouble" : null }, `${clock(item.t)} ${kindOf(item)} ${plain(shown(item))}`)));
  }
}
