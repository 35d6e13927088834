// What the page asks of the server: each a function of labctl's library.

import { recall } from "page/store.js";

function headers() {
  return { "x-labctl-token": recall("token", "") };
}

async function explained(answer) {
  if (answer.ok) return answer;
  let error = { message: `${answer.status}` };
  try {
    error = (await answer.json()).error ?? error;
  } catch {
    // The guard answers in plain text.
  }
  throw new Error([error.message, error.hint].filter(Boolean).join(". "));
}

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options, headers: { ...headers(), ...options?.headers } });
  } catch {
    throw new Error("the server doesn't answer");
  }
  return explained(answer);
}

/** Does something (labctl/page/acts.py); what came of it. */
export async function act(verb, given) {
  return post(`act/${verb}`, given);
}

export async function post(path, given) {
  const body = JSON.stringify(given);
  return (await asked(`/api/${path}`, { method: "POST", body, headers: { "content-type": "application/json" } })).json();
}

/** A document by its path below /api/. */
export async function get(path) {
  return (await asked(`/api/${path}`)).json();
}

/** A file by its path below /api/. */
export async function file(path) {
  return (await asked(`/api/${path}`)).blob();
}

/** What comes bit by bit, by its path below /api/. */
export async function stream(path, signal) {
  return (await asked(`/api/${path}`, { signal })).body;
}

/** Gives the browser a file to save. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
