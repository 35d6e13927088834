// A run (labctl/render/runs/document.py) as it grows: its events and packets in one order of time.

const MOST = 70000; // items; then the oldest are let go
const FEWER = 10000;

/** Microseconds since the epoch of an event's time: a number has room for a quarter of one. */
export function microseconds(stamp) {
  return Date.parse(`${stamp.slice(0, 19)}Z`) * 1000 + Number(stamp.slice(20, 26)) + Number(stamp.slice(26, 29)) / 1000;
}

const TROUBLE = new Set(["error", "fault", "missing"]);
const WRONG = /retransmission|lost|reset|refused|corrupt|malformed|^duplicate|out of order|zero window|gap|no answer/;

/** What keeps a connection or a table fresh: of no packet in it is anything to be told but that it went. */
function isUpkeep(value) {
  if (value.fate === "lost" || value.faults.length) return false;
  return value.protocol === "arp" || value.marks.some((mark) => /keep-alive$/.test(mark));
}

function end([address, port]) {
  return `${String(address).includes(":") ? `[${address}]` : address}:${port}`;
}

/** What an event's row says; `tell` gives a field's name and value as they are to be shown. */
export function wordsOf(value, tell = (key, shown) => [key, shown]) {
  const { event, local, peer, text, ...rest } = value;
  const said = text === undefined ? "" : JSON.stringify(text);
  const ends = [local && end(local), local && peer && (event === "recv" || event === "message" ? "<-" : "->"), peer && end(peer)];
  const more = ["rule", "action", "link", "what", "state", "reason", "error", "status", "method", "target", "bytes"]
    .filter((key) => rest[key] !== undefined && rest[key] !== null)
    .map((key) => [key, ...tell(key, rest[key])])
    .map(([key, name, shown]) => (key === event ? shown : `${name} ${shown}`))
    .join("  ");
  return [ends.filter(Boolean).join(" "), more, said].filter(Boolean).join("  ");
}

function ofEvent(value) {
  const { ts, node, event } = value;
  const words = wordsOf(value);
  return { t: microseconds(ts), type: "event", host: node, kind: event, words, value, trouble: TROUBLE.has(event) };
}

function ofPacket(value) {
  const said = value.text ? JSON.stringify(value.text) : "";
  const words = [`-> ${value.to}`, ...value.label, said, ...value.marks.map((mark) => `! ${mark}`)].filter(Boolean).join("  ");
  const kind = value.protocol;
  const trouble = value.fate === "lost" || value.faults.length > 0 || value.marks.some((mark) => WRONG.test(mark));
  const upkeep = isUpkeep(value);
  return { t: value.at_ns / 1000, type: "packet", host: value.from, kind, words, value, upkeep, trouble: trouble && !upkeep };
}

export class Run {
  constructor() {
    this.listeners = new Set();
    this.loaded = false;
    this.upkeep = false; // whether that is shown
    this.clear();
  }

  clear() {
    this.lab = "";
    this.up = { up: true, recording: true };
    this.topology = { title: "", nodes: [], networks: [], links: [], positions: {} };
    this.recorder = "off";
    this.shell = false;
    this.faults = [];
    this.notes = [];
    this.shapes = []; // of a saved run's layers
    this.items = [];
    this.packets = new Map();
    this.gone = 0; // items that were let go
  }

  on(listener) {
    this.listeners.add(listener);
  }

  say(what, more) {
    for (const listener of this.listeners) listener(what, more);
  }

  load(run) {
    this.clear();
    this.loaded = true;
    Object.assign(this, { lab: run.lab, topology: run.topology, faults: run.faults, notes: [...run.notes] });
    this.up = run.up ?? this.up;
    this.recorder = run.recorder ?? this.recorder;
    this.shell = run.shell ?? false;
    this.shapes = run.shapes ?? [];
    this.gone = run.dropped ?? 0;
    this.items = [...run.events.map(ofEvent), ...run.packets.map((one) => this.known(ofPacket(one)))];
    this.items.sort((one, other) => one.t - other.t);
    this.say("loaded");
  }

  known(item) {
    this.packets.set(item.value.number, item);
    return item;
  }

  apply(told) {
    const fresh = [];
    const changed = new Set();
    for (const { kind, value } of told) {
      if (kind === "event") fresh.push(ofEvent(value));
      else if (kind === "packet") fresh.push(this.known(ofPacket(value)));
      else {
        if (kind === "note") this.notes.push(value);
        else this[kind] = value;
        changed.add(kind);
      }
    }
    for (const item of fresh) this.insert(item);
    if (this.items.length > MOST) this.forget();
    for (const kind of changed) this.say(kind);
    if (fresh.length) this.say("items", fresh);
  }

  insert(item) {
    let at = this.items.length;
    while (at > 0 && this.items[at - 1].t > item.t) at -= 1;
    if (at === this.items.length) this.items.push(item);
    else this.items.splice(at, 0, item);
  }

  forget() {
    for (const item of this.items.splice(0, FEWER)) if (item.type === "packet") this.packets.delete(item.value.number);
    this.gone += FEWER;
    this.say("forgotten", FEWER);
  }

  /** The run as a document, for a tab that comes later. */
  document() {
    const of = (type) => this.items.filter((item) => item.type === type).map((item) => item.value);
    const { lab, up, recorder, shell, topology, faults, notes } = this;
    const [events, packets] = [of("event"), of("packet")];
    return { schema_version: 1, lab, up, recorder, shell, topology, faults, notes, dropped: this.gone, events, packets };
  }

  /** Whether an item is to be seen in lists and in slow motion. */
  shows(item) {
    return this.upkeep || !item.upkeep;
  }

  host(name) {
    return this.topology.nodes.find((node) => node.name === name || node.members.includes(name));
  }

  /** The hosts that share a network with one. */
  neighbours(name) {
    const mine = new Set(this.host(name)?.networks.map((net) => net.name));
    const near = (node) => node.name !== name && node.networks.some((net) => mine.has(net.name));
    return this.topology.nodes.filter(near).map((node) => node.name);
  }

  /** Whose address it is. */
  owner(address) {
    return this.topology.nodes.find((node) => node.networks.some((net) => net.addresses.includes(address)))?.name;
  }

  /** The packets between two hosts, in order of time; the newest `most`. */
  between(one, other, most) {
    const found = [];
    for (let at = this.items.length - 1; at >= 0 && found.length < most; at -= 1) {
      const { type, value } = this.items[at];
      const ends = type === "packet" && [value.from, value.to];
      if (ends && ends.includes(one) && ends.includes(other) && this.shows(this.items[at])) found.push(this.items[at]);
    }
    return found.reverse();
  }
}
