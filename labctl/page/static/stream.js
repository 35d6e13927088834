// The server's events over fetch, which can carry the token; they are taken up again where they stopped.

const SILENCE = 12000; // ms without a word: the server says that it is alive every 5 s
const FIRST = 500;
const LONGEST = 2000; // ms between two tries

export class Stream {
  /** `tell(kind, value)`: `run` all that there is, `items` what is new, `link` up, lost or refused. */
  constructor(token, tell) {
    this.token = token;
    this.tell = tell;
    this.last = "";
    this.wait = FIRST;
    this.over = false;
    this.go();
  }

  /** Another token, such as that of a server that was started anew. */
  renew(token) {
    if (token === this.token && !this.refused) return;
    this.token = token;
    this.abort?.abort();
    this.wake?.();
  }

  close() {
    this.over = true;
    this.abort?.abort();
  }

  async go() {
    while (!this.over) {
      try {
        await this.read();
      } catch {
        // The server has gone, or nothing came for long.
      }
      if (this.over) return;
      if (!this.refused) this.tell("link", "lost");
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, this.wait);
      });
      this.wait = Math.min(LONGEST, this.wait * 1.6);
    }
  }

  async read() {
    this.abort = new AbortController();
    let timer = 0;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.abort.abort(), SILENCE);
    };
    listen();
    try {
      const headers = { "x-labctl-token": this.token };
      if (this.last) headers["last-event-id"] = this.last;
      const answer = await fetch("/api/stream", { headers, signal: this.abort.signal, cache: "no-store" });
      this.refused = answer.status === 401;
      if (this.refused) this.tell("link", "refused");
      if (!answer.ok) return;
      this.tell("link", "up");
      this.wait = FIRST;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        listen();
        const messages = (rest + value).split("\n\n");
        rest = messages.pop();
        for (const message of messages) this.take(message);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  take(message) {
    const fields = {};
    for (const line of message.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (!fields.event) return;
    this.tell(fields.event, JSON.parse(fields.data));
    this.last = fields.id;
  }
}
