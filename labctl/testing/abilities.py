"""What this machine's engine and kernel can do, by what `labctl doctor` finds."""

from __future__ import annotations

from functools import lru_cache

# The words of `needs`, and which finding of `labctl doctor` each is.
FINDINGS = {"engine": "engine", "compose": "compose", "ipv6": "IPv6", "nftables": "nftables", "nfqueue": "NFQUEUE"}


@lru_cache(maxsize=1)
def lacking() -> dict[str, str]:
    """What can't be done here, each with why."""
    import labctl
    from labctl.errors import LabError

    try:
        found = {one.check: one for one in labctl.doctor()}
    except LabError as problem:
        return dict.fromkeys(FINDINGS, problem.message)
    engine = found.get("engine")
    if engine is None or engine.level == "bad":
        return dict.fromkeys(FINDINGS, engine.what if engine else "no engine was found")
    out = {}
    for word, check in FINDINGS.items():
        one = found.get(check)
        if one is not None and one.level != "ok":
            out[word] = one.what
    return out


def refused(words: tuple[str, ...]) -> str:
    """Why a test that needs these can't run here; empty: it can. Raises ValueError for a word that is none."""
    for word in words:
        if word not in FINDINGS:
            raise ValueError(f"needs({word!r}): what labctl can look for is {', '.join(FINDINGS)}")
    missing = lacking()
    whose: dict[str, list[str]] = {}
    for word in words:
        if word in missing:
            whose.setdefault(missing[word], []).append(word)
    return "; ".join(f"{', '.join(lacked)}: {why}" for why, lacked in whose.items())
