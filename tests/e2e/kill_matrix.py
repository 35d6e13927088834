"""The rows of the kill matrix, what is known of each, and the page that shows it: docs/kill-matrix.md.

`make kill-matrix` runs every cell, and then

    python tests/e2e/kill_matrix.py

which writes the page of what that run found. `make test` takes the cells that `cells` gives for its seed.
"""

import json
from pathlib import Path
from typing import Any

from sampling import share

from labctl.phases import PHASES

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "tests" / "out" / "kill-matrix.json", ROOT / "docs" / "kill-matrix.md"
SIGNALS = ("SIGINT", "SIGTERM", "SIGKILL")
UP = (*(name for name in PHASES if name.startswith("up:")), "probe:running")
DOWN = tuple(name for name in PHASES if name.startswith("down:"))
CHAT, TRAIN = ("chat", "send", "alice", "x"), ("udp", "send", "udp1", "udp2", "--count", "50", "--rate", "50")
FAULT = ("fault", "add", "udp1-udp2", "--loss", "1%")
# At each of these phases of a command that runs: which command it is.
RUNNING = {
    "keyboard:attached": CHAT,
    "keyboard:locked": CHAT,
    "keyboard:typed": CHAT,
    "keyboard:input-seen": CHAT,
    "logs:following": ("logs", "-f"),
    "udp:train-under-way": TRAIN,
    "fault:probe-started": FAULT,
    "fault:prepared": FAULT,
    "fault:committed": FAULT,
    "capture:probe-started": ("ladder", "alice", "bob"),
    "capture:listening": ("capture", "alice"),
    "processes:probe-started": ("sockets", "alice"),
    # It would take longer by itself than the test waits for it to be gone.
    "exec:running": ("http", "get", "mute", "http://mute:8080/", "--from", "alice", "--timeout", "100"),
}
# What runs somebody's own program, and removes it. These phases are reached by `down` as well.
RUN = ("run", "--name", "own", "--replace", "--", "python3", "server.py")
REMOVE = ("rm", "own")
PROGRAM = {
    "run:created": RUN,
    "run:started": RUN,
    "run:ready": RUN,
    "run:watching": ("run", "--watch", *RUN[1:]),
    "down:container-stopped": REMOVE,
    "down:container-removed": REMOVE,
}
TITLES = {"keyboard": "chat send", "logs": "logs -f", "udp": "udp send --count", "exec": "http get --from"}
TITLES |= {"fault": "fault add udp1-udp2", "capture:probe-started": "ladder alice bob", "capture": "capture alice"}
TITLES["processes"] = "sockets alice"
RULES = {"fault:probe-started": "no rule", "fault:prepared": "no rule", "fault:committed": "a rule on both ways"}
RULES["processes:probe-started"] = "a probe beside the node"
RECORDERS = {"capture:probe-started": "recorders remain", "capture:listening": "recorders remain"}
HEAD = """# The kill matrix

labctl leaves nothing behind, whenever it dies. Each line of these tables is a moment at which labctl stopped, was sent
a signal, and went on; each cell says how it ended, and what was there of the lab right then. After that came one
`labctl down LAB`, and in every cell nothing was left. `make kill-matrix` runs all cells, and wrote the tables. `make
test` runs a third of the cells of SIGKILL again and a sixth of the others, other ones at another commit, and fails
where this page says anything else than what it found.

"""
FOOT = """
## What is checked

After that one `labctl down`, of every cell:

- no container, network or volume carries the lab's label;
- no process is left that labctl started: all of them inherit a mark in their environment, which none may carry;
- the lab's lock files are gone;
- the machine is as it was before: links (`ip link`), network namespaces (`ip netns`, /run/docker/netns), routes (IPv4
  and IPv6, all tables), the rules of nftables, iptables and ip6tables.

SIGINT and SIGTERM during `up` take back by themselves what was begun: all of that but the lock files holds before
`down`, which finds nothing any more. A command that runs changes nothing of the lab: its containers are the same ones
afterwards, started once, and the same command works again at once. Those rows share one lab for each signal, which one
`down` removes after the last of them. `fault add` sets one rule on both ways of a link, by a probe at each node: there
are both or none afterwards, and the probes stay with the lab. So does the probe that `sockets` starts. `ladder` and
`capture` start recorders, which stay with the lab after a normal end as well; nothing in them goes on telling packets
to a labctl that is gone. `run` adds a host, which is there afterwards or not; whichever it is, `run --replace` makes it
anew at once, `rm` removes it, and then the lab has what it had before.

The lab has two nodes, one network of both address families, a published port, a volume, and a route that a probe sets.
One snapshot of the machine is taken before the first cell, and all cells are compared with it. Packet counters are left
out, and the order of rules is not compared: the engine inserts some of its rules at the beginning and some at the end
of a chain, so that rules of networks that stay change places when others come and go. Where other labs or containers
come and go on the same engine during the test, lines that name their bridges, network namespaces or addresses are
theirs. That can't hide what the lab under test leaves: at that time it owns no network and no container any more.
Where nothing else runs, the two snapshots must be equal line by line.

That these checks can fail is tested as well: a link, a namespace, routes, rules, a labelled network, a volume, a
container and a process are left behind on purpose, and each is found.

## How it works

**Phases.** `labctl/phases.py` lists the moments. With `LABCTL_STOP_AT=up:network-created` in its environment, labctl
stops itself there by SIGSTOP; the test sees that by waitpid(2), sends the signal, and then SIGCONT. No test guesses a
time.

**Children.** Compose, where it is needed, and `docker exec` run in a process group of their own, with a shell that
waits at a pipe from labctl. When labctl dies, whatever it dies of, the pipe ends, and the shell kills the group,
Compose and the plugin processes of Docker's client alike. A command that `labctl exec` or `labctl shell` runs in a
node has such a shell, too: where labctl dies, that ends the command (docs/verbs.md).

**A lock for each lab.** `up` and `down` hold it, and a Compose that makes the lab holds it, too, while it lives. So a
second `up` or `down` begins when the last process of the first is gone, waits with a limit, and says `lab-busy` when
that is over. It is free again while `up` only waits for nodes to be ready, so that a lab that never gets ready can be
taken down.

**What the engine still does.** It goes on with a request when whoever asked is gone, so a container may appear after
its `up` was killed. While a lab is made, the lock's file says so, and holds the names of all that is to be. The next
`down` or `up` that finds them there looks again until all of them have appeared, or, as labctl may have died before
it asked for them all, nothing new has come for three seconds.

**A claim to the name.** While a lab has no containers yet, a volume says whose it is to be, as the engine makes one of
a name once: two users who bring up labs of one name at the same moment get two labs. `down` removes one that was left.

**What isn't covered.** The locks are those of one user on one machine. An engine that is so busy that it takes more
than three seconds from one container to the next may make one more after a `down` that followed a SIGKILL; a second
`down` removes it.
"""

# Each table's command, and the rows of it.
ROWS = {"up": UP, "run": tuple(RUNNING), "program": tuple(PROGRAM), "down": DOWN}
HEADINGS = {"up": "`up`", "run": "Running commands", "program": "Own programs", "down": "`down`"}


def cells(seed: str | None) -> list[tuple[str, str, str]]:
    """Command, phase and signal of the cells of a run, which the seed picks: a third of those of SIGKILL, which labctl
    can't answer, and a sixth of the others; all cells without a seed."""
    every = [(command, phase, number) for command, rows in ROWS.items() for phase in rows for number in SIGNALS]
    chosen = set(share([cell for cell in every if cell[2] == "SIGKILL"], 3, seed))
    chosen |= set(share([cell for cell in every if cell[2] != "SIGKILL"], 6, seed))
    return [cell for cell in every if cell in chosen]


def lines(text: str) -> dict[tuple[str, str], list[str]]:
    """The cells of a page's lines, by the table's title and the phase."""
    found: dict[tuple[str, str], list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("## "):
            title = line
        elif line.startswith("| `"):
            phase, _, *told = (item.strip() for item in line.strip("|").split("|"))
            found[title, phase] = told
    return found


def page(results: list[dict[str, Any]]) -> str:
    """The whole page."""
    found = {(item["command"], item["phase"], item["signal"]): item for item in results}
    parts = [HEAD]
    for command, phases in ROWS.items():
        parts.append(f"## {HEADINGS[command]}\n\n")
        parts.append(f"| phase | at this moment | {' | '.join(SIGNALS)} |\n| --- | --- |{' --- |' * 3}\n")
        for phase in phases:
            cells = [_cell(found.get((command, phase, signal))) for signal in SIGNALS]
            parts.append(f"| `{phase}` | {_moment(command, phase)} | {' | '.join(cells)} |\n")
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n" + FOOT


def _moment(command: str, phase: str) -> str:
    if command == "program":
        return f"`{' '.join(word for word in PROGRAM[phase][:2] if word != '--name')}`: {PHASES[phase]}"
    title = TITLES.get(phase) or TITLES.get(phase.partition(":")[0])
    return f"`{title}`: {PHASES[phase]}" if title else PHASES[phase]


def _cell(item: dict[str, Any] | None) -> str:
    if item is None:
        return "not run"
    status = f"exit {item['exit']}" if item["exit"] >= 0 else "killed"
    if item["command"] == "run":
        return f"{status}, {(RULES | RECORDERS).get(item['phase'], 'lab untouched')}"
    if item["command"] == "program":
        return f"{status}, {'the host remains' if item['left'] else 'no host'}"
    return f"{status}, {'remains' if item['left'] else 'nothing left'}"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text())))
    print(f"{PAGE.relative_to(ROOT)} is written")
