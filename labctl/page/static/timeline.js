// Events and packets of all hosts in one order of time. Only the rows that can be seen are elements.

import { el, fill, field, plain, seldom, select } from "page/dom.js";
import { wordsOf } from "page/model.js";
import { eventField, eventName, language, say, told } from "page/words.js";

const ROW = 24; // pixels, as in page.css
const BETWEEN = 200; // ms between two looks, when much happens: faster nobody reads, and each look lays the page out

export function clock(t) {
  const rest = String(Math.floor(t % 1e6)).padStart(6, "0");
  return `${new Date(t / 1000).toISOString().slice(11, 19)}.${rest}`;
}

/** What stands in an item's row: a packet's remarks, an event's fields in the language that was chosen. */
export function shown(item) {
  if (language === "en") return item.words;
  if (item.type === "event") return wordsOf(item.value, eventField);
  const marks = (item.value.marks ?? []).map((mark) => [`! ${mark}`, `! ${told(mark)}`]);
  return marks.reduce((words, [mark, other]) => words.replace(mark, () => other), item.words);
}

/** What kind of item it is: an event by its name, a packet by its protocol. */
export function kindOf(item) {
  return item.type === "event" ? eventName(item.kind) : item.kind;
}

export class Timeline {
  /** `open(item)` is called for the item that was chosen. */
  constructor(run, player, open) {
    Object.assign(this, { run, player, open });
    this.filter = { host: "", kind: "", text: "" };
    this.found = [];
    this.chosen = null;
    this.rows = el("div", { class: "rows" });
    this.space = el("div", { class: "space" }, this.rows);
    this.list = el(
      "div",
      { class: "list", id: "timeline", role: "listbox", tabindex: 0, "aria-label": say("timeline"), onscroll: () => this.show() },
      this.space,
    );
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.hosts = el("span", {});
    this.kinds = el("span", {});
    const text = el("input", { type: "search", oninput: () => this.look({ text: text.value.toLowerCase() }) });
    this.empty = el("p", { class: "dim pad" }, say("nothing"));
    this.dropped = el("span", { class: "dim" });
    this.upkeep = el("input", { type: "checkbox", id: "upkeep", onchange: () => this.showUpkeep(this.upkeep.checked) });
    this.upkeepCount = el("span", {});
    const upkeep = el("label", { class: "check" }, this.upkeep, this.upkeepCount);
    const heading = el("h2", {}, say("timeline"));
    const bar = el("div", { class: "bar" }, heading, this.hosts, this.kinds, field(say("search"), text), upkeep, this.dropped);
    this.box = el("section", { class: "timeline", "aria-label": say("timeline") }, bar, this.empty, this.list);
    this.known = { hosts: "", kinds: "" };
    run.on((what) => what === "loaded" && this.refill());
    run.on((what) => what === "forgotten" && this.refill());
    run.on((what, more) => what === "items" && this.take(more));
    player.on((what) => what === "moved" && this.later());
  }

  showUpkeep(on) {
    this.run.upkeep = on;
    this.run.say("upkeep");
    this.refill();
  }

  look(change) {
    Object.assign(this.filter, change);
    this.refill();
  }

  fits(item) {
    const { host, kind, text } = this.filter;
    if (!this.run.shows(item) && kind !== item.kind && !text) return false;
    if (host && item.host !== host && item.value.to !== host) return false;
    if (kind === "events" || kind === "packets") {
      if (`${item.type}s` !== kind) return false;
    } else if (kind && item.kind !== kind) return false;
    return !text || `${item.host} ${item.kind} ${kindOf(item)} ${item.words} ${shown(item)}`.toLowerCase().includes(text);
  }

  refill() {
    this.found = this.run.items.filter((item) => this.fits(item));
    this.seen = { hosts: new Set(this.run.topology.nodes.map((node) => node.name)), kinds: new Set() };
    this.upkeeps = 0;
    for (const item of this.run.items) this.see(item);
    this.later();
  }

  see(item) {
    this.seen.kinds.add(item.kind);
    if (item.upkeep) this.upkeeps += 1;
  }

  take(items) {
    if (!this.seen) this.refill();
    for (const item of items) {
      this.see(item);
      if (!this.fits(item)) continue;
      let at = this.found.length;
      while (at > 0 && this.found[at - 1].t > item.t) at -= 1;
      if (at === this.found.length) this.found.push(item);
      else this.found.splice(at, 0, item);
    }
    this.later();
  }

  later() {
    this.due ??= seldom(() => {
      this.choices();
      this.follow();
      this.show();
    }, BETWEEN);
    this.due();
  }

  choices() {
    const hosts = this.run.topology.nodes.map((node) => node.name);
    const kinds = [...(this.seen?.kinds ?? [])].sort();
    const key = JSON.stringify([hosts, kinds]);
    if (key === this.key_) return;
    this.key_ = key;
    const ofHosts = [["", say("allHosts")], ...hosts.map((name) => [name, name])];
    const ofKinds = [["", say("allKinds")], ["events", say("events")], ["packets", say("packets")]];
    ofKinds.push(...kinds.map((kind) => [kind, eventName(kind)]));
    fill(this.hosts, select(ofHosts, this.filter.host, (host) => this.look({ host }), { "aria-label": say("host") }));
    fill(this.kinds, select(ofKinds, this.filter.kind, (kind) => this.look({ kind }), { "aria-label": say("allKinds") }));
  }

  /** Live, the newest is in sight; else the present place is. */
  follow() {
    const { live, playing, current } = this.player;
    this.space.style.height = `${this.found.length * ROW}px`;
    this.empty.hidden = this.found.length > 0;
    fill(this.upkeepCount, say("upkeep", { count: this.upkeeps ?? 0 }));
    fill(this.dropped, this.run.gone ? say("dropped", { count: this.run.gone }) : "");
    if (live && !this.isHeld) this.list.scrollTop = this.found.length * ROW;
    else if (!live && current) this.reveal(this.indexOf(current), playing);
  }

  indexOf(item) {
    let [low, high] = [0, this.found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.found[middle].t < item.t) low = middle + 1;
      else high = middle;
    }
    while (low < this.found.length && this.found[low] !== item && this.found[low].t === item.t) low += 1;
    return Math.min(low, this.found.length - 1);
  }

  reveal(at) {
    const top = at * ROW;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop || top + ROW > scrollTop + clientHeight) this.list.scrollTop = top - clientHeight / 2;
  }

  show() {
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    this.isHeld = this.list.matches(":hover, :focus") && scrollTop + clientHeight < scrollHeight - 2 * ROW;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - 2);
    const last = Math.min(this.found.length, first + Math.ceil(clientHeight / ROW) + 6);
    const now = this.player.live ? Infinity : (this.player.current?.t ?? -Infinity);
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    fill(this.rows, ...this.found.slice(first, last).map((item, at) => this.row(item, first + at, now)));
    if (this.chosen) this.list.setAttribute("aria-activedescendant", "chosen-row");
  }

  row(item, at, now) {
    const words = ["row", item.type, item.trouble && "trouble", item.t > now && "future", item === this.player.current && !this.player.live && "now"];
    const mine = item === this.chosen;
    const state = { role: "option", "aria-selected": String(mine), id: mine ? "chosen-row" : null };
    return el(
      "div",
      { class: [...words, mine && "chosen"].filter(Boolean).join(" "), ...state, onclick: () => this.choose(at) },
      el("span", { class: "time" }, clock(item.t)),
      el("span", { class: "who" }, item.host),
      el("span", { class: "kind", title: item.kind }, kindOf(item)),
      el("span", { class: "words" }, plain(shown(item))),
    );
  }

  choose(at) {
    this.chosen = this.found[Math.max(0, Math.min(at, this.found.length - 1))] ?? null;
    if (!this.chosen) return;
    this.reveal(this.indexOf(this.chosen));
    this.show();
    this.open(this.chosen);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const here = this.chosen ? this.indexOf(this.chosen) : this.found.length;
    this.choose(Math.max(0, Math.min(here + steps[event.key], this.found.length - 1)));
  }
}
