// The whole lab: partitions, all faults, what can be taken along.

import { act, download, file, post } from "page/api.js";
import { button, el, fill, plain } from "page/dom.js";
import { faultList } from "page/panels/link.js";
import { SAVED } from "page/source.js";
import { note, rule, say } from "page/words.js";

export class LabPanel {
  constructor(page) {
    Object.assign(this, { page, run: page.run });
    this.title = say("lab");
    this.answer = el("p", { class: "answer", role: "status" });
    this.hosts = el("div", { class: "checks" });
    this.faults = el("ul", { class: "faults" });
    this.notes = el("ul", {});
    this.recording = el("p", {});
    this.box = el(
      "div",
      {},
      this.recording,
      !SAVED && el("h3", {}, say("partition")),
      !SAVED && el("p", { class: "dim" }, say("partitionHint")),
      !SAVED && this.hosts,
      !SAVED && el("div", { class: "buttons" }, button(say("cut"), () => this.cut()), button(say("heal"), () => this.does("heal", {}))),
      el("h3", {}, say("faults")),
      this.faults,
      !SAVED && el("div", { class: "buttons" }, button(say("clearAll"), () => this.does("clear", {}))),
      this.answer,
      el("h3", {}, say("export")),
      el("div", { class: "buttons" }, ...this.exports()),
      el("h3", {}, say("notes")),
      this.notes,
    );
    this.refresh();
  }

  heard(what) {
    if (["loaded", "topology", "faults", "note", "up"].includes(what)) this.refresh();
  }

  refresh() {
    const names = this.run.topology.nodes.map((node) => node.name);
    if (names.join() !== this.names) {
      this.names = names.join();
      fill(this.hosts, ...names.map((name) => el("label", {}, el("input", { type: "checkbox", value: name }), name)));
    }
    fill(this.faults, ...faultList(this.run.faults, this.answer));
    fill(this.notes, ...(this.run.notes.length ? this.run.notes : ["–"]).slice(-20).map((text) => el("li", {}, plain(note(text)))));
    if (SAVED || !this.run.up.up) return;
    const on = !this.run.up.recording;
    fill(this.recording, on ? `${say("notRecording")} ` : "", button(say(on ? "record" : "recordStop"), () => this.record(on)));
  }

  async record(on) {
    await this.trying(() => post("record", { on }));
  }

  async cut() {
    const chosen = [...this.hosts.querySelectorAll("input:checked")].map((box) => box.value);
    const others = this.run.topology.nodes.map((node) => node.name).filter((name) => !chosen.includes(name));
    await this.does("partition", { left: chosen.join(","), right: others.join(",") });
  }

  async does(verb, given) {
    await this.trying(() => act(verb, given));
  }

  async trying(work) {
    try {
      const done = await work();
      fill(this.answer, done?.what ? `${done.id}: ${rule(done.what)}` : say("done"));
    } catch (problem) {
      fill(this.answer, plain(problem.message));
    }
  }

  exports() {
    const { lab } = this.run;
    const journal = () => {
      const lines = this.run.items.filter((item) => item.type === "event").map(({ value: { seq, ...event } }) => JSON.stringify(event));
      download(new Blob([`${lines.join("\n")}\n`], { type: "application/jsonl" }), `${this.run.lab || lab}.jsonl`);
    };
    const fetched = (path, name) => this.trying(async () => download(await file(path), name));
    const made = [button(say("exportJournal"), journal)];
    if (SAVED) return made;
    const pair = this.page.lastPair;
    made.push(button(say("exportCapture"), () => fetched("capture.pcapng", `${this.run.lab}.pcapng`)));
    if (pair) {
      const query = new URLSearchParams({ a: pair[0], b: pair[1] });
      made.push(button(`${say("exportLadder")} (${pair.join(" – ")})`, () => fetched(`ladder.svg?${query}`, `${pair.join("-")}.svg`)));
    }
    made.push(button(say("exportRun"), () => fetched("run.html", `${this.run.lab}.html`)));
    return made;
  }
}
