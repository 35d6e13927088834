// The page's words in the language that was chosen.

import { NAMES, NOTES } from "page/names.js";
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

/** A phrase as an expression that finds it, with its {words} as groups. */
function pattern(text) {
  return new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+)")}$`, "s");
}

const [EXACT, WHOLE, PATTERNS] = [new Map(), [], []];
for (const [text, other] of PHRASES[language] ?? []) {
  if (!text.includes("{")) EXACT.set(text, other);
  else (/[:,] /.test(text) ? WHOLE : PATTERNS).push([pattern(text), other]);
}
const sentences = [...(NOTES[language] ?? []), ...(PHRASES[language] ?? []).filter(([text]) => text.endsWith("."))];
const SENTENCES = sentences.map(([text, other]) => [pattern(text), other]);
const { events, fields, states, rules } = NAMES[language] ?? { events: {}, fields: {}, states: {}, rules: {} };

function named(names, text) {
  return Object.hasOwn(names, text) ? names[text] : text;
}

/** The name of an event in the language that was chosen. */
export function eventName(name) {
  return named(events, name);
}

/** A rule as it is typed, such as `drop 'tcp data 1' once`: its words; values, and the expression, stay as they are. */
export function rule(what) {
  const [, before, expression, after] = /^([^']*)('.*')?([^']*)$/s.exec(what) ?? [null, what, "", ""];
  const words = (text) => text.split(" ").map((word) => named(rules, word)).join(" ");
  return `${words(before)}${expression ?? ""}${words(after)}`;
}

/** A field of an event: its name and, where that is one of labctl's words, what stands in it. */
export function eventField(key, value) {
  if (key === "what" || key === "action") return [named(fields, key), rule(String(value))];
  return [named(fields, key), key === "state" ? named(states, String(value)) : value];
}

/** A sentence about the whole run, where it is one that is known. */
export function note(text) {
  for (const [found, other] of SENTENCES) {
    const match = found.exec(text);
    if (match) return other.replace(/\{(\w+)\}/g, (_, key) => match.groups[key]);
  }
  return text;
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
