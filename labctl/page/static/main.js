// The page: the graph with what moves, the panel of what was chosen, the timeline; and what they have to say to each other.

import { controls } from "page/controls.js";
import { button, el, fill, seldom, select } from "page/dom.js";
import { Graph } from "page/graph.js";
import { Marks } from "page/marks.js";
import { Run } from "page/model.js";
import { HostPanel } from "page/panels/host.js";
import { LabPanel } from "page/panels/lab.js";
import { LinkPanel } from "page/panels/link.js";
import { PacketPanel } from "page/panels/packet.js";
import { Player } from "page/player.js";
import { begin, SAVED } from "page/source.js";
import { fragment, recall, remember } from "page/store.js";
import { Timeline } from "page/timeline.js";
import { known, language, LANGUAGES, say, speak } from "page/words.js";

const NUDGES = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] };

class Page {
  constructor() {
    document.documentElement.lang = language;
    this.theme(recall("theme", "system"));
    this.run = new Run();
    this.player = new Player(this.run);
    this.timeline = new Timeline(this.run, this.player, (item) => this.openItem(item));
    this.link = "lost";
    this.build();
    this.run.on((what, more) => this.heard(what, more));
    this.player.on((what, more) => this.moved(what, more));
    begin((kind, value) => this.told(kind, value));
  }

  build() {
    this.heading = el("h1", {}, "labctl");
    this.status = el("p", { class: "status", role: "status" });
    this.badge = el("span", { class: "badge" });
    this.hosts = el("ul", { class: "hosts" });
    this.panelTitle = el("h2", { tabindex: -1 });
    this.panelBox = el("div", { class: "panel-body" }, el("p", { class: "dim" }, say("chooseHost")));
    const box = el("div", { class: "graph" });
    const canvas = el("canvas", { class: "marks", "aria-hidden": "true" });
    this.summed = el("p", { class: "summed", hidden: true }, say("summed"));
    const stage = el("div", { class: "stage", role: "img", "aria-label": say("graph") }, box, canvas, this.summed);
    const head = el(
      "header",
      {},
      el("a", { href: "#timeline", class: "skip", onclick: (event) => this.skip(event) }, say("skip")),
      this.heading,
      this.badge,
      el("span", { class: "grow" }),
      button(say("wholeLab"), () => this.open(new LabPanel(this)), { id: "lab" }),
      this.themes(),
      select(Object.entries(LANGUAGES), language, speak, { "aria-label": say("language"), id: "language" }),
    );
    const list = el("nav", { "aria-label": say("hosts") }, el("h2", {}, say("hosts")), this.hosts, button(say("resetPlaces"), () => this.graph.putBack(), { class: "small" }));
    const panel = el("aside", { class: "panel", "aria-label": say("host") }, el("div", { class: "bar" }, this.panelTitle), this.panelBox);
    const time = controls(this.player, this.run, (on) => this.labels(on));
    fill(document.body, head, this.status, el("main", {}, list, el("section", { class: "middle", "aria-label": say("lab") }, stage, time), panel, this.timeline.box));
    this.graph = new Graph(box, this.run, (kind, name) => this.chosen(kind, name));
    this.marks = new Marks(canvas, this.graph, this.run, (is) => (this.summed.hidden = !is));
  }

  themes() {
    const choices = ["system", "light", "dark"].map((name) => [name, `${say("theme")}: ${say(name)}`]);
    const change = (name) => {
      remember("theme", name);
      this.theme(name);
      this.graph.restyle();
      this.marks.wake();
    };
    return select(choices, recall("theme", "system"), change, { "aria-label": say("theme"), id: "theme" });
  }

  theme(name) {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
  }

  labels(on) {
    this.marks.labels = on;
    this.marks.wake();
  }

  skip(event) {
    event.preventDefault();
    this.timeline.list.focus();
  }

  told(kind, value) {
    if (kind === "run") this.run.load(value);
    else if (kind === "items") this.run.apply(value);
    else {
      this.link = value;
      this.tellStatus();
    }
  }

  heard(what, more) {
    if (what === "loaded") this.marks.clear();
    if (["loaded", "topology", "up"].includes(what)) this.list();
    if (what === "loaded" || what === "up" || what === "recorder") this.tellStatus();
    if (what === "items") this.panelLater(more);
    else this.panel?.heard?.(what, more);
    if (what === "loaded") this.fromFragment();
  }

  /** What is new, for the panel: several times a second, however much comes. */
  panelLater(more) {
    this.fresh = [...(this.fresh ?? []), ...more].slice(-200);
    this.toPanel ??= seldom(() => {
      const fresh = this.fresh;
      this.fresh = [];
      this.panel?.heard?.("items", fresh);
    }, 250);
    this.toPanel();
  }

  moved(what, more) {
    if (what === "happen") this.marks.happen(more.slice(-400).filter((item) => this.run.shows(item)));
    if (what === "step") this.marks.show(more, this.player.step);
    if (what === "still") {
      this.marks.clear();
      this.marks.show(more, 1, true);
    }
  }

  tellStatus() {
    const { lab, topology, up } = this.run;
    fill(this.heading, topology.title || lab || "labctl");
    document.title = `${lab || "labctl"} – labctl`;
    const troubled = { lost: say("lost"), refused: say("refused") }[this.link];
    const down = !up.up && say("down", { lab });
    const starting = this.run.recorder === "starting" ? say("recordStarts") : "";
    fill(this.status, troubled ?? (down || (SAVED ? say("readOnly") : starting)));
    this.status.hidden = !this.status.textContent;
    const state = SAVED ? "saved" : troubled ? "lost" : up.up ? "live" : "down";
    document.documentElement.dataset.state = state;
    document.documentElement.dataset.recorder = this.run.recorder;
    fill(this.badge, { saved: say("saved"), lost: "?", live: say("live"), down: "–" }[state]);
  }

  list() {
    const chosen = this.panel instanceof HostPanel ? this.panel.name : "";
    const row = (node) => {
      const state = this.run.up.up ? (node.state ?? "") : "?";
      const act = () => this.chosen("host", node.name);
      const made = el("button", { type: "button", onclick: act, "aria-pressed": String(node.name === chosen), title: say("moveHint") }, el("b", {}, node.name), el("span", {}, known(state)));
      made.addEventListener("keydown", (event) => this.nudge(event, node.name));
      return el("li", {}, made);
    };
    const focused = document.activeElement?.closest?.(".hosts")?.querySelectorAll("button");
    const at = focused ? [...focused].indexOf(document.activeElement) : -1;
    fill(this.hosts, ...this.run.topology.nodes.map(row));
    if (at >= 0) this.hosts.querySelectorAll("button")[at]?.focus();
  }

  nudge(event, name) {
    const by = NUDGES[event.key];
    if (!by) return;
    event.preventDefault();
    this.graph.nudge(name, ...by);
  }

  chosen(kind, name) {
    if (kind === "host") this.openHost(name);
    if (kind === "wire") {
      const before = this.lastPair?.includes(name) ? this.lastPair.find((one) => one !== name) : null;
      const other = before ?? this.spoken(name) ?? this.run.neighbours(name)[0];
      if (other) this.openLink(name, other);
    }
  }

  /** With whom a host spoke last. */
  spoken(name) {
    for (let at = this.run.items.length - 1; at >= 0; at -= 1) {
      const { type, value } = this.run.items[at];
      if (type === "packet" && value.from === name) return value.to;
      if (type === "packet" && value.to === name) return value.from;
    }
    return null;
  }

  open(panel) {
    this.panel?.close?.();
    this.panel = panel;
    fill(this.panelTitle, panel.title);
    fill(this.panelBox, panel.box);
    this.panelBox.scrollTop = 0;
    panel.shown?.();
    this.list();
  }

  openHost(name) {
    this.graph.select(name);
    this.open(new HostPanel(this, name));
  }

  openLink(one, other) {
    this.lastPair = [one, other];
    this.open(new LinkPanel(this, one, other));
  }

  openPacket(item) {
    this.lastPair = [item.value.from, item.value.to];
    history.replaceState(null, "", `#packet=${item.value.number}`);
    this.open(new PacketPanel(this, item));
  }

  openItem(item) {
    if (!this.player.live && !this.player.playing) this.player.go(this.run.items.indexOf(item) + 1);
    if (item.type === "packet") this.openPacket(item);
    else this.openHost(item.host);
  }

  fromFragment() {
    const item = this.run.packets.get(Number(fragment().get("packet")));
    if (item && !this.panel) this.openPacket(item);
  }
}

globalThis.labctl = new Page();
