// The page's words in the language that was chosen.

import { PHRASES } from "page/phrases.js";
import { TEXTS } from "page/texts.js";
import { recall, remember } from "page/store.js";

const guess = navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";

export const language = recall("language", guess) in TEXTS ? recall("language", guess) : "en";
export const LANGUAGES = { en: "English", zh: "中文" };

/** A text by its name; `{words}` in it are filled in. */
export function say(name, values = {}) {
  return TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

// Words of states and fates, as labctl has them.
const KNOWN = {
  ready: "isReady",
  running: "isRunning",
  starting: "isStarting",
  healthy: "isHealthy",
  unhealthy: "isUnhealthy",
  paused: "isPaused",
  exited: "hasExited",
  delivered: "wasDelivered",
  lost: "wasLost",
  seen: "wasSeen",
  unknown: "isUnknown",
  elsewhere: "fromElsewhere",
};

/** A state or a fate in the language that was chosen; what isn't known stays as it is. */
export function known(text) {
  return text.replace(/^[a-z]+/, (word) => (Object.hasOwn(KNOWN, word) ? say(KNOWN[word]) : word));
}

const [EXACT, WHOLE, PATTERNS] = [new Map(), [], []];
for (const [text, other] of PHRASES[language] ?? []) {
  if (!text.includes("{")) EXACT.set(text, other);
  else (/[:,] /.test(text) ? WHOLE : PATTERNS).push([new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+)")}$`), other]);
}

/** What labctl says of a packet, a layer or a rule, in the language that was chosen; its parts by themselves, where the
 * whole isn't known. The terminal has the same rules (labctl/render/phrases). */
export function told(text) {
  if (!EXACT.size) return text;
  const whole = EXACT.get(text) ?? filled(WHOLE, text);
  if (whole) return whole;
  for (const between of [": ", ", "]) {
    const at = text.indexOf(between);
    if (at > 0) return `${told(text.slice(0, at))}${between}${told(text.slice(at + between.length))}`;
  }
  return filled(PATTERNS, text) ?? text;
}

function filled(patterns, text) {
  for (const [pattern, other] of patterns) {
    const found = pattern.exec(text);
    if (found) return other.replace(/\{(\w+)\}/g, (_, key) => told(found.groups[key]));
  }
  return null;
}

/** Chooses another language: the page is built anew. */
export function speak(other) {
  remember("language", other);
  location.reload();
}
