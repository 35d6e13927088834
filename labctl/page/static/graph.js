// Hosts and networks, drawn by cytoscape at the places that labctl gives them, or to which they were moved.

import cytoscape from "cytoscape";
import { colour } from "page/dom.js";
import { recall, remember } from "page/store.js";

const WIDER = [1.15, 1.9]; // than labctl's picture: its frames have more text, and lines that branch off a bar
const MANY = 60; // hosts, from which on the picture is simpler

function look(simple) {
  const font = "system-ui, sans-serif";
  return [
    {
      selector: "node.host",
      style: {
        shape: "round-rectangle",
        width: simple ? 76 : 100,
        height: simple ? 34 : 48,
        label: "data(label)",
        "text-wrap": "wrap",
        "text-valign": "center",
        "font-family": font,
        "font-size": simple ? 10 : 12,
        "min-zoomed-font-size": simple ? 5 : 0,
        color: colour("ink"),
        "background-color": colour("card"),
        "border-width": 2,
        "border-color": colour("good"),
      },
    },
    { selector: "node.host.router", style: { shape: "octagon" } },
    { selector: "node.host.quiet", style: { "border-color": colour("faint"), color: colour("dim"), "border-style": "dashed" } },
    { selector: "node.host.bad", style: { "border-color": colour("bad") } },
    {
      selector: "node.network",
      style: {
        shape: "round-rectangle",
        width: (node) => Math.max(60, node.data("label").length * 6.4),
        height: 22,
        padding: 6,
        label: "data(label)",
        "text-valign": "center",
        "font-family": font,
        "font-size": 11,
        color: colour("ink"),
        "background-color": colour("wire-ground"),
        "border-width": 1,
        "border-color": colour("wire"),
      },
    },
    { selector: "edge", style: { width: 2, "line-color": colour("wire"), "curve-style": "haystack" } },
    { selector: "edge.broken", style: { "line-color": colour("bad"), "line-style": "dashed", width: 3 } },
    { selector: ":selected", style: { "border-color": colour("accent"), "border-width": 4, "line-color": colour("accent") } },
    { selector: "node:active, edge:active", style: { "overlay-opacity": 0.08 } },
  ];
}

export class Graph {
  /** `chosen(kind, name)` is called for a host, a link (of a host to a network) or nothing. */
  constructor(box, run, chosen) {
    this.run = run;
    this.cy = cytoscape({ container: box, elements: [], layout: { name: "preset" }, textureOnViewport: true, minZoom: 0.1, maxZoom: 3 });
    lighten(this.cy);
    this.key = "";
    this.paths = new Map();
    this.cy.on("tap", "node.host", (event) => chosen("host", event.target.id().slice(2)));
    this.cy.on("tap", "edge", (event) => chosen("wire", event.target.data("host")));
    this.cy.on("dragfree", "node", () => this.keep());
    run.on((what) => {
      if (what === "loaded" || what === "topology") this.draw();
      if (what === "loaded" || what === "faults") this.mark();
      if (what === "up") this.draw();
    });
  }

  get places() {
    return `places:${this.run.lab}`;
  }

  keep() {
    const found = Object.fromEntries(this.cy.nodes().map((node) => [node.id(), node.position()]));
    remember(this.places, found);
  }

  restyle() {
    this.cy.style(look(this.simple));
  }

  draw() {
    const { nodes, networks, positions } = this.run.topology;
    const elements = [];
    const kept = recall(this.places, {});
    const spread = around(nodes, networks);
    const placed = (id, found) => spread[id] ?? (found ? { x: found[0] * WIDER[0], y: found[1] * WIDER[1] } : { x: 100, y: 100 });
    const at = (id, found) => kept[id] ?? placed(id, found);
    for (const net of networks) {
      const label = [net.name, ...net.subnets].join("  ");
      const id = `n:${net.name}`;
      elements.push({ data: { id, label }, position: at(id, positions.networks?.[net.name]), classes: "network" });
    }
    for (const node of nodes) {
      const id = `h:${node.name}`;
      const first = node.networks[0]?.addresses[0] ?? "";
      const label = nodes.length > MANY ? node.name : [node.name, first].filter(Boolean).join("\n");
      elements.push({ data: { id, label }, position: at(id, positions.nodes?.[node.name]), classes: this.classes(node) });
      for (const net of node.networks) {
        const data = { id: `e:${node.name}:${net.name}`, source: id, target: `n:${net.name}`, host: node.name };
        elements.push({ data });
      }
    }
    const key = JSON.stringify(elements.map((one) => [one.data.id, one.data.label]));
    if (key === this.key) {
      this.cy.batch(() => nodes.forEach((node) => this.cy.getElementById(`h:${node.name}`).classes(this.classes(node))));
      return;
    }
    this.key = key;
    this.paths.clear();
    this.simple = nodes.length > MANY;
    const chosen = this.cy.$(":selected").map((one) => one.id());
    this.cy.batch(() => {
      this.cy.elements().remove();
      this.cy.add(elements);
      for (const id of chosen) this.cy.getElementById(id).select();
    });
    this.restyle();
    this.cy.fit(undefined, 24);
    this.mark();
  }

  classes(node) {
    const runs = this.run.up.up && /^(ready|running|healthy|starting)/.test(node.state ?? "ready");
    const bad = /unhealthy|dead|exited \([^0]/.test(node.state ?? "");
    return ["host", node.role === "router" && "router", !runs && "quiet", bad && "bad"].filter(Boolean);
  }

  /** Links on which faults are in force. */
  mark() {
    const broken = new Set();
    for (const fault of this.run.faults) if (fault.state === "in force") broken.add(fault.link.split(":")[0]);
    this.cy.batch(() => this.cy.edges().forEach((edge) => edge.toggleClass("broken", broken.has(edge.data("host")))));
  }

  select(name) {
    this.cy.$(":selected").unselect();
    if (name) this.cy.getElementById(`h:${name}`).select();
  }

  /** Moves a host by the keyboard. */
  nudge(name, x, y) {
    const node = this.cy.getElementById(`h:${name}`);
    if (node.nonempty()) node.position({ x: node.position("x") + x, y: node.position("y") + y });
    this.keep();
  }

  putBack() {
    remember(this.places, {});
    this.key = "";
    this.draw();
  }

  /** The elements along which a packet goes from one host to another: hosts and networks by turns. */
  path(from, to) {
    const key = `${from} ${to}`;
    if (!this.paths.has(key)) this.paths.set(key, this.search(`h:${from}`, `h:${to}`));
    return this.paths.get(key);
  }

  search(from, to) {
    const begin = this.cy.getElementById(from);
    const goal = this.cy.getElementById(to);
    if (begin.empty() || goal.empty()) return null;
    const found = this.cy.elements().aStar({ root: begin, goal, weight: (edge) => this.cost(edge, begin, goal) });
    return found.found ? found.path.nodes().map((node) => node.id()) : null;
  }

  /** Through other hosts than routers nothing goes. */
  cost(edge, begin, goal) {
    const host = edge.source();
    return host.hasClass("router") || host.same(begin) || host.same(goal) ? 1 : 1000;
  }

  /** Where the elements of a path are in the box now, in pixels. */
  points(path) {
    return path.map((id) => this.cy.getElementById(id)).filter((one) => one.nonempty()).map((one) => one.renderedPosition());
  }
}

/**
 * What is dragged has a layer of its own. By itself cytoscape draws all others anew as well at each move, as it is told
 * of what is dragged (`notify`) like of any change: with 200 hosts that takes most of a frame.
 */
function lighten(cy) {
  const renderer = cy.renderer();
  const notify = renderer.notify;
  const isDragged = (one) => (one.isNode() ? one.grabbed() : one.source().grabbed() || one.target().grabbed());
  renderer.notify = function (what, elements) {
    const light = this.hoverData.draggingEles && ["bounds", "position"].includes(what) && elements?.every(isDragged);
    if (!light) return notify.call(this, what, elements);
    this.redrawHint("drag", true);
    return this.redraw();
  };
}

/** Where all hosts hang on one network: in rows above and below it, as wide as they are high. Else nothing. */
function around(nodes, networks) {
  if (networks.length !== 1 || nodes.length < 4 || nodes.some((node) => node.networks.length !== 1)) return {};
  const wide = Math.max(3, Math.ceil(Math.sqrt(nodes.length * 1.4)));
  const rows = Math.ceil(nodes.length / wide);
  const above = Math.ceil(rows / 2);
  const places = { [`n:${networks[0].name}`]: { x: ((wide - 1) / 2) * 130, y: 0 } };
  nodes.forEach((node, number) => {
    const row = Math.floor(number / wide);
    const here = Math.min(wide, nodes.length - row * wide);
    const y = row < above ? (row - above) * 100 - 10 : (row - above + 1) * 100 + 10;
    places[`h:${node.name}`] = { x: ((number % wide) + (wide - here) / 2) * 130, y };
  });
  return places;
}
