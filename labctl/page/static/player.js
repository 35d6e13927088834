// Which part of the run is shown: all that there is and what comes (live), or one thing after another, each for a fixed
// time, however fast it was (slow motion): a handshake takes 0.2 ms, and nobody sees that.

export const STEP = 900; // ms for each thing at speed 1
export const SPEEDS = [0.25, 0.5, 1, 2, 4];

export class Player {
  constructor(run) {
    this.run = run;
    this.live = true;
    this.playing = false;
    this.speed = 1;
    this.place = 0; // how many items have happened
    this.listeners = new Set();
    run.on((what, more) => this.heard(what, more));
  }

  on(listener) {
    this.listeners.add(listener);
  }

  say(what, more) {
    for (const listener of this.listeners) listener(what, more);
  }

  /** How long one thing takes, in ms. */
  get step() {
    return STEP / this.speed;
  }

  /** The item that happens at the present place. */
  get current() {
    return this.run.items[this.place - 1];
  }

  heard(what, more) {
    if (what === "loaded") {
      this.place = this.run.items.length;
      this.live = true;
      this.pause();
      this.say("moved");
    } else if (what === "items" && this.live) {
      this.place = this.run.items.length;
      this.say("happen", more);
      this.say("moved");
    } else if (what === "items") {
      // What comes late may belong before the present place; it has then happened.
      const now = this.current?.t ?? 0;
      this.place += more.filter((item) => item.t < now).length;
      this.say("moved");
      if (this.playing && !this.timer) this.next();
    } else if (what === "forgotten") {
      this.place = Math.max(0, this.place - more);
      this.say("moved");
    }
  }

  follow() {
    this.pause();
    this.live = true;
    this.place = this.run.items.length;
    this.say("moved");
  }

  /** Slow motion, from the present place on. */
  slow() {
    this.live = false;
    this.say("moved");
  }

  play() {
    if (this.live) this.slow();
    this.playing = true;
    this.say("moved");
    this.next();
  }

  pause() {
    this.playing = false;
    clearTimeout(this.timer);
    this.timer = 0;
    this.say("moved");
  }

  next() {
    this.timer = 0;
    if (!this.playing || !this.forward()) return;
    this.timer = setTimeout(() => this.next(), this.step);
  }

  /** One thing more; whether there is one. */
  forward() {
    this.live = false;
    const { items } = this.run;
    let place = this.place;
    while (place < items.length && !this.run.shows(items[place])) place += 1;
    if (place >= items.length) return false;
    this.place = place + 1;
    this.say("step", this.current);
    this.say("moved");
    return true;
  }

  back() {
    let place = this.place - 1;
    while (place > 0 && !this.run.shows(this.run.items[place - 1])) place -= 1;
    this.go(place);
  }

  /** Goes to a place, where it stops. */
  go(place) {
    this.pause();
    this.live = false;
    this.place = Math.max(0, Math.min(place, this.run.items.length));
    this.say("still", this.current);
    this.say("moved");
  }

  at(speed) {
    this.speed = speed;
    this.say("moved");
  }
}
