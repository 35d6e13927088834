// Time: live, slow motion, one step and back, speed, and the place in the run.

import { button, el, fill, seldom, select } from "page/dom.js";
import { SPEEDS } from "page/player.js";
import { say } from "page/words.js";

export function controls(player, run, labels) {
  const follow = button(say("follow"), () => player.follow(), { id: "follow", "aria-pressed": "true" });
  const slow = button(say("slow"), () => player.slow(), { id: "slow", "aria-pressed": "false" });
  const play = button("", () => (player.playing ? player.pause() : player.play()), { id: "play" });
  const step = (sign, name, id, act) => button(sign, act, { "aria-label": say(name), title: say(name), id });
  const scrub = el("input", { type: "range", min: 0, max: 0, value: 0, step: 1, id: "scrub", "aria-label": say("scrub") });
  scrub.addEventListener("input", () => player.go(Number(scrub.value)));
  const place = el("span", { class: "place" });
  const speeds = SPEEDS.map((speed) => [String(speed), `×${speed}`]);
  const labelled = el("input", { type: "checkbox", checked: true, onchange: () => labels(labelled.checked) });
  const refresh = () => {
    follow.setAttribute("aria-pressed", String(player.live));
    slow.setAttribute("aria-pressed", String(!player.live));
    const word = say(player.playing ? "pausePlay" : "play");
    fill(play, player.playing ? "❚❚" : "▶");
    play.setAttribute("aria-label", word);
    play.title = word;
    scrub.max = run.items.length;
    scrub.value = player.place;
    const text = `${player.place} / ${run.items.length}`;
    if (place.textContent !== text) fill(place, text);
  };
  const later = seldom(refresh, 200);
  player.on((what) => what === "moved" && later());
  refresh();
  return el(
    "div",
    { class: "controls", role: "group", "aria-label": say("scrub") },
    follow,
    slow,
    step("◀❚", "back", "back", () => player.back()),
    play,
    step("❚▶", "forward", "forward", () => (player.pause(), player.forward())),
    select(speeds, "1", (value) => player.at(Number(value)), { "aria-label": say("speed"), id: "speed" }),
    scrub,
    place,
    el("label", { class: "check" }, labelled, say("labels")),
  );
}
