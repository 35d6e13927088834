// Where the run comes from: the server, by way of what all tabs share, or this document itself.

import { recall, token } from "page/store.js";

/** Whether the page is a saved run: it then has no server, and nothing can be done to a lab. */
export const SAVED = document.getElementById("run") !== null;

/** Tells `tell(kind, value)` all that comes. */
export async function begin(tell) {
  if (SAVED) {
    tell("run", await unpacked(document.getElementById("run").textContent));
    tell("link", "saved");
    return;
  }
  const given = token();
  const send = await connected(given, tell);
  addEventListener("storage", (event) => {
    if (event.key === "labctl:token") send(recall("token", ""));
  });
  addEventListener("hashchange", () => send(token()));
}

async function connected(given, tell) {
  if (!("SharedWorker" in globalThis)) {
    const { Stream } = await import("page/stream.js");
    const stream = new Stream(given, tell);
    return (other) => stream.renew(other);
  }
  const policy = globalThis.trustedTypes?.createPolicy("labctl", { createScriptURL: () => "/static/worker.js" });
  const url = policy ? policy.createScriptURL("") : "/static/worker.js";
  const { port } = new SharedWorker(url, { type: "module", name: "labctl" });
  port.onmessage = ({ data: [kind, value] }) => tell(kind, value);
  port.start();
  port.postMessage(["hello", given]);
  addEventListener("pagehide", () => port.postMessage(["bye", ""]));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  return (other) => port.postMessage(["hello", other]);
}

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
