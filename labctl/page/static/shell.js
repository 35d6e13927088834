// A shell in a host: a terminal (xterm) whose other end is `labctl shell`.

import { Terminal } from "xterm";
import { post, stream } from "page/api.js";
import { el } from "page/dom.js";

const CELL = 7.4; // pixels of a column
const ROWS = 18;

export class Shell {
  constructor(node, box, complain) {
    if (!document.getElementById("xterm-style")) {
      document.head.append(el("link", { rel: "stylesheet", id: "xterm-style", href: "/static/vendor/xterm.css" }));
    }
    const columns = Math.max(40, Math.floor((box.clientWidth - 16) / CELL));
    this.terminal = new Terminal({ rows: ROWS, cols: columns, fontSize: 12, screenReaderMode: true });
    this.abort = new AbortController();
    box.replaceChildren();
    this.typed = "";
    this.terminal.onData((keys) => this.type(keys)); // also what is typed while the shell is only being begun
    this.terminal.open(box);
    this.terminal.focus();
    this.run(node, columns).catch((problem) => this.abort.signal.aborted || complain(problem.message));
  }

  async run(node, columns) {
    const { shell } = await post("shell", { node, rows: ROWS, columns });
    this.shell = shell;
    this.type("");
    const reader = (await stream(`shell/${shell}`, this.abort.signal)).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      this.terminal.write(value);
    }
    this.terminal.options.disableStdin = true;
  }

  /** One after the other, so that keys don't overtake each other; those that come meanwhile go together. */
  async type(keys) {
    this.typed += keys;
    if (this.sending || !this.shell) return;
    this.sending = true;
    try {
      while (this.typed) {
        const now = this.typed;
        this.typed = "";
        await post(`shell/${this.shell}`, { keys: now });
      }
    } catch {
      this.typed = ""; // the shell has ended
    }
    this.sending = false;
  }

  close() {
    this.abort.abort();
    this.terminal.dispose();
  }
}
