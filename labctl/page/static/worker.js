// One stream for all tabs: a browser opens six connections to a server, and a tab more would wait for ever.

import { Stream } from "./stream.js";
import { Run } from "./model.js";

const ports = new Set();
const run = new Run();
let stream = null;
let link = "lost";

function tell(kind, value) {
  if (kind === "run") run.load(value);
  else if (kind === "items") run.apply(value);
  else link = value;
  for (const port of ports) port.postMessage([kind, value]);
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: [word, token] }) => {
    if (word === "bye") {
      ports.delete(port);
      return;
    }
    if (stream) stream.renew(token);
    else stream = new Stream(token, tell);
    if (ports.has(port)) return;
    ports.add(port);
    if (run.loaded) port.postMessage(["run", run.document()]);
    port.postMessage(["link", link]);
  };
};
