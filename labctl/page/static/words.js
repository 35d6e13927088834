// The page's words in the language that was chosen.

import { TEXTS } from "page/texts.js";
import { recall, remember } from "page/store.js";

const guess = navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";

export const language = recall("language", guess) in TEXTS ? recall("language", guess) : "en";
export const LANGUAGES = { en: "English", zh: "中文" };

/** A text by its name; `{words}` in it are filled in. */
export function say(name, values = {}) {
  return TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Chooses another language: the page is built anew. */
export function speak(other) {
  remember("language", other);
  location.reload();
}
