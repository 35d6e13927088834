// What this browser remembers: choices, and where hosts were put. Without storage all works, and is forgotten.

export function recall(key, otherwise) {
  try {
    const found = localStorage.getItem(`labctl:${key}`);
    return found === null ? otherwise : JSON.parse(found);
  } catch {
    return otherwise;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`labctl:${key}`, JSON.stringify(value));
  } catch {
    // A private window, or a full disk.
  }
}

/** The parts of the address behind the #: `token`, `packet`. */
export function fragment() {
  return new URLSearchParams(location.hash.slice(1));
}

/** The token of this run of the server: from the address, which is then freed of it, or from another tab. */
export function token() {
  const parts = fragment();
  const given = parts.get("token");
  if (given) {
    remember("token", given);
    parts.delete("token");
    const rest = parts.toString();
    history.replaceState(null, "", rest ? `#${rest}` : location.pathname);
  }
  return given ?? recall("token", "");
}
