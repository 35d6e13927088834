"""The table of all errors that labctl explains, by their codes.

A message says what was asked and why it can't be; a hint says what to do about it; the meaning stands in
docs/errors.md. Words in braces are filled in by whoever raises one (labctl/errors.py).
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    message: str
    hint: str
    meaning: str


ERRORS: dict[str, Kind] = {
    "engine-unreachable": Kind(
        "no Docker engine answers at {endpoint}: {why}",
        "start it (`make lab-up` does), or choose another by DOCKER_HOST or `docker context use`",
        "Nothing listens where labctl looks for the engine, or it hung up.",
    ),
    "engine-permission": Kind(
        "this user has no right to use the Docker socket {endpoint}",
        "join its group (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker",
        "The engine is there, but its socket is closed to this user.",
    ),
    "engine-endpoint": Kind(
        "{where} names no usable Docker endpoint: {why}",
        "`docker context ls` shows the contexts; unset DOCKER_HOST and DOCKER_CONTEXT to use the local engine",
        "DOCKER_HOST or the Docker context can't be understood.",
    ),
    "engine-timeout": Kind(
        "the Docker engine did not answer within {seconds:g} s ({action})",
        "`labctl doctor` looks at the engine; a paused or overloaded machine answers late",
        "Every request to the engine has a limit, and this one reached it.",
    ),
    "engine-refused": Kind(
        "the Docker engine would not {action}: {why}",
        "",
        "The engine answered with an error of its own, which is repeated.",
    ),
    "docker-missing": Kind(
        "the command `docker` is not on the PATH",
        "install it (Debian: docker-cli and docker-compose; `make lab-up` does so for root)",
        "labctl runs `docker compose` and `docker exec`, and found no client.",
    ),
    "docker-config": Kind(
        "the command `docker` can't read its configuration {file}: {why}",
        "let HOME be this user's own folder (`sudo -H`, `su -`), or DOCKER_CONFIG one that it can read",
        "Docker's client then finds no Compose. After `sudo` or `su`, HOME is often another user's folder.",
    ),
    "compose-missing": Kind(
        "Compose {minimum} or newer is needed, and {found}",
        "install docker-compose (Debian 13), docker-compose-v2 (Ubuntu) or docker-compose-plugin (Docker's packages)",
        "`docker compose` isn't there or is too old.",
    ),
    "compose-failed": Kind(
        "`docker compose {verb}` failed: {why}",
        "",
        "Compose answered with an error of its own, which is repeated.",
    ),
    "compose-killed": Kind(
        "`docker compose {verb}` was killed by {signal} before it had done its work",
        "the kernel does that where memory runs out (`dmesg` tells); if somebody did it, run the command again",
        "A signal ended Compose. Where it is its plugin that was killed, Docker's client doesn't tell by which.",
    ),
    "build-failed": Kind(
        "building {what} failed: {why}; the step and its last lines:\n{step}",
        "mend what the step says; `labctl build` tries again without starting anything",
        "A step of a Dockerfile ended with an error, or the file can't be understood.",
    ),
    "base-image": Kind(
        "no Debian base image could be had: {why}",
        "load one by hand (`docker pull debian:trixie-slim` or `docker load`), or install mmdebstrap",
        "The images are built on debian:trixie-slim, or on one made from Debian's packages; neither worked.",
    ),
    "topology-missing": Kind(
        "there is no topology {name}{near}",
        "name a Compose file, or one of the built-in ones: {builtin}",
        "The file doesn't exist, and no built-in topology has that name.",
    ),
    "topology-twice": Kind(
        "the topology is named twice: {name}, and files by -f",
        "name it in one of the two ways; -f can be given several times",
        "A topology's files are given one by one, or it is named, and not both.",
    ),
    "env-file-missing": Kind(
        "there is no file {file} with variables",
        "--env-file names a file with lines such as NAME=value",
        "A file that was named for variables isn't there; Compose would refuse it as well.",
    ),
    "bad-size": Kind(
        "there is no {name}:{count}: {why}",
        "write `line:5`, `star:4` or `udp-mesh:50`",
        "A built-in topology was asked for in a size that it doesn't come in.",
    ),
    "too-many-nodes": Kind(
        "{name}:{count} would take some {memory:.0f} GiB of memory and {minutes:.0f} minutes; {name} goes to {limit}",
        "take a smaller one, or several labs on several machines",
        "So large a lab would take the machine down with it.",
    ),
    "topology-invalid": Kind(
        "{file} is not a usable topology: {why}",
        "",
        "Compose refuses the file, or what stands under x-labctl is wrong.",
    ),
    "bad-link-name": Kind(
        "{why}",
        "{mend}",
        "What was given is no link: two nodes, or one.",
    ),
    "bad-condition": Kind(
        "{why}",
        "{mend}",
        "A condition of a link, or the expression that picks packets, can't be understood.",
    ),
    "fault-twice": Kind(
        "{link} has that rule already: {id}, {what}",
        "`labctl fault clear {id}` takes it back",
        "The same rule on the same link would do everything twice.",
    ),
    "no-such-fault": Kind(
        "there is no rule {name}{near}",
        "`labctl fault ls` shows all that there are",
        "No rule has that id, and no rule is on that link.",
    ),
    "fault-refused": Kind(
        "the probe at {node} can't do that: {why} ({error})",
        "`labctl doctor` tells whether this kernel has NFQUEUE and nftables, which faults need",
        "The program that would have to put the rule in force answered with an error.",
    ),
    "probe-silent": Kind(
        "the probe at {nodes} did not answer in time",
        "`labctl fault clear --all` starts it again; the links are whole while it stands still",
        "The helper container runs, and said nothing.",
    ),
    "probe-paused": Kind(
        "the probe at {node} is paused",
        "`docker unpause {probe}` lets it go on; its rules are out of force until then",
        "Somebody froze the helper container.",
    ),
    "on-start-elsewhere": Kind(
        "--on-start {node} holds for what {node} sends, and this rule is about what {others} sends",
        "name a link from {node} to another node, such as {node}:OTHER",
        "A rule from a node's first packet on can only be one on what that node sends.",
    ),
    "probe-failed": Kind(
        "a probe could not do its work (`{command}` ended with {status}): {why}",
        "`labctl doctor` looks at what the kernel can do",
        "A helper container in a node's network ended with an error.",
    ),
    "no-route": Kind(
        "the route {route} of {node} can't be set: {why}",
        "",
        "The neighbour that a route leads through must share a network with the node.",
    ),
    "lab-not-ours": Kind(
        "a Compose project named {name} is there already, and labctl did not make it",
        "give the lab another name (`labctl up --lab NAME`), or end that project (`docker compose -p {name} down`)",
        "labctl changes only what carries its own labels.",
    ),
    "lab-of-another": Kind(
        "the lab {lab} is another one's: {owner}{made}",
        "{mend}",
        "Several people share the engine. What one of them made, another one changes or removes only on purpose.",
    ),
    "lab-from-another-file": Kind(
        "the lab {lab} was made from {there}, and this is {file}",
        "give this one another name (`--lab NAME`), or let it take that one's place (`--take-over`)",
        "Two topologies of one name, or of folders of one name, would otherwise take each other's nodes away.",
    ),
    "network-otherwise": Kind(
        "the network {network} is there already, {there}",
        "`labctl down {lab}` removes it, and then `labctl up` makes it anew",
        "Whether a network has a way outside, and on which subnets it is, is settled when it is made.",
    ),
    "lab-busy": Kind(
        "another labctl is at work on {lab} and did not finish within {seconds:g} s",
        "let it finish, or end it (^C where it runs)",
        "One labctl at a time brings a lab up or down.",
    ),
    "lab-removed": Kind(
        "{lab} was removed while labctl waited for its nodes",
        "",
        "Another `labctl down` came before all nodes were ready.",
    ),
    "network-in-use": Kind(
        "the network {network} of {lab} can't be removed: others' containers are on it ({containers})",
        "all else of the lab is removed; end those or take them off (`docker network disconnect`), then again",
        "labctl removes only what carries its own labels, so it lets those containers be.",
    ),
    "lock-failed": Kind(
        "{file} can't be locked: {why}",
        "XDG_RUNTIME_DIR, or else TMPDIR, names the folder that it stands in",
        "Locks between several labctl are files.",
    ),
    "no-lab": Kind("no lab is there", "`labctl up` starts one", "No container on the engine carries labctl's label."),
    "no-lab-of-yours": Kind(
        "no lab of yours is there; others' are: {names}",
        "`labctl up` starts one of your own; `--lab NAME` is for looking at another's",
        "Without --lab, labctl takes the only lab that the user has made.",
    ),
    "unknown-lab": Kind("there is no lab {name}{near}", "`labctl ls` lists the labs", "No lab has that name."),
    "ambiguous-lab": Kind(
        "several labs are there: {names}",
        "choose one by --lab NAME, or set LABCTL_LAB",
        "Without --lab, labctl takes the only lab of the user's.",
    ),
    "bad-lab-name": Kind(
        "{name!r} is not a lab's name{near}",
        "lower-case letters, digits, - and _, beginning with a letter or digit (a Compose project name)",
        "Compose takes only such names for a project.",
    ),
    "unknown-node": Kind(
        "there is no node {name} in the lab {lab}{near}",
        "`labctl ps` lists the nodes",
        "No node of the lab has that name.",
    ),
    "not-running": Kind(
        "{node} {state}, so {action}",
        "{mend}",
        "The node has no running process, or it is frozen.",
    ),
    "host-namespace": Kind(
        "{node} has no {what} of its own, but this machine's ({mode})",
        "labctl does nothing to the machine itself; take `{mode}` out of its Compose file",
        "The container shares a namespace with the machine, where a helper would act on all of it.",
    ),
    "no-program": Kind(
        "{node} can't run {program}: {why}",
        "`labctl exec {node} -- ls /bin /usr/bin` shows what the image has, if it has `ls`",
        "The command isn't in the node's image, or is no program. Exit status 127 where it isn't there, else 126.",
    ),
    "no-shell": Kind(
        "{node} has no shell: its image {image} has neither bash nor sh",
        "`labctl exec {node} PROGRAM` runs a program that it has; `labctl top {node}` shows those that run",
        "A small image may hold its program alone.",
    ),
    "copy-failed": Kind(
        "it can't be copied: {why}",
        "{mend}",
        "A file of a node or of this machine can't be read or written, or an archive holds what it must not.",
    ),
    "command-left": Kind(
        "what was started in {node} may still run: {why}",
        "`labctl top {node}` shows its processes; `labctl restart {node}` ends them all",
        "labctl was interrupted, and could not end the command that it had started in a node.",
    ),
    "wrong-role": Kind(
        "{node} is {actual}, and `{command}` needs {wanted}",
        "{fitting}",
        "The node's role (the label on its image) is another one.",
    ),
    "no-keyboard": Kind(
        "{node} has no keyboard: its container was started without stdin_open",
        "`labctl exec {node} -- COMMAND` runs a command in it instead",
        "Input can be typed only where the container's stdin is open.",
    ),
    "no-link": Kind(
        "{a} has no link to {b}: they share no network ({networks})",
        "`labctl ps` shows the networks of every node",
        "Two nodes that share no network can't reach each other directly.",
    ),
    "newline-in-line": Kind(
        "the text holds a newline, and here one line is one input",
        "send it line by line",
        "A newline ends a line, so it can't be part of one.",
    ),
    "not-utf8": Kind(
        "{what} is not {encoding}",
        "",
        "Text that is typed must be in the encoding of the locale (LC_ALL, LC_CTYPE, LANG), which mostly is UTF-8.",
    ),
    "text-too-long": Kind(
        "the text has {size} bytes, and {what} takes at most {limit}",
        "",
        "The node would refuse it, so it was not sent.",
    ),
    "not-taken": Kind(
        "{node} did not take the line within {seconds:g} s",
        "`labctl logs {node}` shows what it does; `labctl ps` its state",
        "The node's keyboard takes nothing: not all of the line could be written to it, so it won't go out later.",
    ),
    "maybe-taken": Kind(
        "{node} did not show within {seconds:g} s that it took the line, which may still go out",
        "typed again, it may go out twice: `labctl logs {node}` shows what becomes of it; `labctl ps` its state",
        "The line is on its way to the node's keyboard, where a node that is slow, paused or stopped reads it later. "
        "Under `--json`, each error of a line that was typed says by `may_go_out` whether it may go out, or has.",
    ),
    "keyboard-busy": Kind(
        "another labctl types at {node} and did not finish within {seconds:g} s",
        "try again, or give a longer --timeout",
        "Lines are typed one after the other, so that they never mix.",
    ),
    "node-refused": Kind(
        "{node} refused the line: {reason} ({error})",
        "",
        "The node's journal answered the line with an `error` event.",
    ),
    "no-partner": Kind(
        "{node} has no partner: {reason}, and {seconds:g} s have passed",
        "the line waits at {node} and is sent when it can be; `labctl chat log` shows the conversation",
        "A chat node keeps lines until somebody is there, and nobody came.",
    ),
    "not-confirmed": Kind(
        "sent, not confirmed: {why}",
        "{mend}",
        "The line left the node, and no journal shows that it arrived.",
    ),
    "not-shown": Kind(
        "{why}",
        "typed again, it may go out twice: `labctl logs {node}` shows what becomes of it",
        "The node took the line, and its journal shows neither that it was sent nor why not.",
    ),
    "no-answer": Kind(
        "sent, but {peer} did not answer within {seconds:g} s",
        "{mend}",
        "A line left the node and no whole line came back; or no packet of `labctl ping` or `route` was answered.",
    ),
    "unreachable": Kind(
        "{node} can't reach {target}: {why}",
        "`labctl route {node}` shows its routing table, `labctl ps` who is on which network",
        "The node's kernel or a router on the way says that nothing can be delivered there.",
    ),
    "unresolved": Kind(
        "{node} can't resolve {name}: {why}{near}",
        "`labctl dns {node} {name}` shows whom it asks and what it hears; `labctl ps` lists the nodes",
        "The name is no node's, and the node's own resolver has no address for it.",
    ),
    "no-address": Kind(
        "{name} has no {family} address (it has: {has})",
        "`labctl ps` shows the addresses",
        "An address of a family was asked for that isn't there.",
    ),
    "no-such-name": Kind(
        "no such name: {name} ({server} says NXDOMAIN){near}",
        "Docker's name server knows the nodes that share a network with the one that asks, and their aliases",
        "The name server says that nothing has that name.",
    ),
    "no-records": Kind(
        "{name} is there, and has no record of the type {kinds}",
        "--type asks for others",
        "The name server knows the name, and nothing of the kind that was asked for.",
    ),
    "dns-silent": Kind(
        "no name server answered {node} about {name} ({why})",
        "`labctl ping {node} SERVER` tells whether it can be reached; a longer --timeout waits longer",
        "Nothing came back for a DNS question, or nothing that could be read.",
    ),
    "dns-failed": Kind(
        "{server} has no answer about {name}: {why}",
        "a name from outside the lab needs a way to the servers that know it",
        "The name server answered with an error.",
    ),
    "node-stopped": Kind(
        "{node} stopped while labctl waited for it",
        "`labctl logs {node}` shows its last words",
        "The node's journal ended.",
    ),
    "node-failed": Kind(
        "{node} failed: {why}",
        "what came up is still there for a look (`labctl logs {node}`); `labctl down` removes it",
        "A node ended before it was ready.",
    ),
    "not-ready": Kind(
        "not ready within {seconds:g} s: {nodes}",
        "`labctl logs NODE` shows why; a longer --timeout waits longer; `labctl down` removes the lab",
        "`labctl up` waits for each node's `ready` event.",
    ),
    "not-yet": Kind(
        "not within {seconds:g} s: {what}",
        "`labctl ps` and `labctl logs` show what is there; a longer --timeout waits longer",
        "`labctl wait` has a limit, and what it waited for did not come true in it.",
    ),
    "never-healthy": Kind(
        "{node} won't get healthy: {why}",
        "`labctl ps` shows its state; a `healthcheck:` in its Compose file, or in its image, says what healthy means",
        "Only a running container with a healthcheck can become healthy.",
    ),
    "image-missing": Kind(
        "the image {image} of {node} is not there and could not be had: {why}",
        "build or pull it, or give the service a `build:` section",
        "The engine has no such image.",
    ),
    "no-subnet": Kind(
        "no free subnet was found for the network {network}: {why}",
        "choose one by --subnet {key}=CIDR; --allow-overlap takes one that a route leads to; `docker network prune` "
        "removes networks that nobody needs",
        "All subnets that labctl tried overlap with others on this machine.",
    ),
    "no-ipv6": Kind(
        "this machine's kernel has no IPv6, and IPv6 is asked for by {networks}",
        "boot without ipv6.disable=1, or take a topology without IPv6",
        "The kernel was started without IPv6, so the engine can give no node an IPv6 address.",
    ),
    "network-missing": Kind(
        "there is no network {network}, which the file calls external",
        "`docker network create {network}` makes one; without `external`, labctl makes it and removes it with the lab",
        "What is external is somebody else's: labctl uses it and neither makes nor removes it.",
    ),
    "bad-subnet": Kind(
        "--subnet {text}: {why}",
        "write --subnet 10.9.0.0/24, or --subnet NETWORK=10.9.0.0/24, once for each network; `labctl plan` shows them",
        "A subnet that was chosen can't be one of the topology's movable networks.",
    ),
    "subnet-taken": Kind(
        "the subnet {subnet} of the network {network} overlaps with {owner}",
        "choose another, by --subnet or in the file; or mark the network `x-labctl: {{movable: true}}`, and it moves",
        "The engine refuses networks that overlap.",
    ),
    "subnet-routed": Kind(
        "the subnet {subnet} of the network {network} overlaps with {route}",
        "choose another, by --subnet or in the file; --allow-overlap takes it all the same, and this machine then no "
        "longer reaches what has these addresses there",
        "A lab's network would take the place of one that the machine itself is on, such as its LAN or a VPN.",
    ),
    "http-failed": Kind(
        "GET {url} failed: {why}",
        "{mend}",
        "No HTTP response came back.",
    ),
    "not-published": Kind(
        "{node} publishes no port to this machine",
        "ask from another node: `labctl http get {node} {path} --from NODE`",
        "Only published ports can be reached from outside the lab.",
    ),
    "published-elsewhere": Kind(
        "{node} publishes its port {port} on {address} of {machine}, the engine's machine: no other one reaches it",
        "ask from a node of the lab (`--from NODE`), or publish the port on an address of {machine}",
        "A port that is published on 127.0.0.1 is the engine's machine's own; this machine's 127.0.0.1 is another one.",
    ),
    "none-running": Kind(
        "no node of {lab} runs, and there is nothing to record",
        "`labctl start NODE` starts one, `labctl up` all",
        "A command needs a running node, and the lab has none.",
    ),
    "several-ladders": Kind(
        "the command caused traffic between {pairs}, and {form} shows two nodes",
        "name two nodes: `labctl trace --node alice --node bob ...`, or take text or JSON",
        "A picture of a trace was asked for, and there would be several.",
    ),
    "bad-filter": Kind(
        "the filter {filter!r} is none: {why}",
        "filters are those of tcpdump, such as `tcp port 7` or `host 10.77.0.5 and not arp` (man pcap-filter)",
        "tcpdump could not make sense of what --filter was given.",
    ),
    "recorder-gone": Kind(
        "{node} can't be recorded: {why}",
        "`labctl capture --stop {node}` and then the command again starts a new recorder",
        "The helper container that records a node's packets ended, or did not answer.",
    ),
    "none-recorded": Kind(
        "no node of {lab} is being recorded",
        "`labctl capture --start` begins to record, and then there is a newest packet",
        "`labctl packet last` shows what the recorders hold, and there are none.",
    ),
    "extcap-taken": Kind(
        "{file} is there already, and labctl did not put it there",
        "move it away and ask again",
        "`labctl capture --install-extcap` replaces only what it made itself.",
    ),
    "no-interface": Kind(
        "no running lab has the interface {name}",
        "let Wireshark look again (F5): the lab may be down, or the node may have stopped",
        "Wireshark asked for a node that was there when it last looked.",
    ),
    "not-recorded": Kind(
        "nothing was recorded at {nodes} until now; from now on it is",
        "cause some traffic and ask again, or let `labctl trace -- chat send alice hi` do both",
        "Packets are recorded from when somebody first asks (or from `labctl up --record`). This was the first time.",
    ),
    "recording-begins": Kind(
        "nothing was recorded at {node} until now; from now on it is",
        "do what you want to see, then `labctl syscalls {node}` again; `labctl syscalls {node} --stop` ends it",
        "System calls are recorded once somebody has asked for them, as that slows the node's programs down.",
    ),
    "not-traceable": Kind(
        "the processes of {node} can't be traced: {why}",
        "{mend}",
        "The kernel lets one process trace another only once, and only with the right to.",
    ),
    "processes-failed": Kind(
        "the probe at {node} can't do that: {why} ({error})",
        "`labctl doctor` looks at this machine; sockets need a kernel with sock_diag",
        "The program in the node's probe answered with an error.",
    ),
    "fell-behind": Kind(
        "{node} had more to tell than was read: {count} events are left out, and what would follow them",
        "write it to a file (`... > FILE`), or look at fewer nodes; `labctl syscalls NODE` has what is recorded",
        "What follows a node's sockets or calls stood still, or was slower than they; the probe keeps 16 MiB for it.",
    ),
    "bad-option": Kind("{option}: {why}", "", "An option's value is out of its range."),
    "completion-failed": Kind(
        "the completion can't be installed: {why}",
        "`labctl --show-completion` prints it: put that where your shell reads it",
        "The shell's start-up file is in a home directory that isn't there, or that this user may not write to.",
    ),
    "output-failed": Kind(
        "the output can't be written: {why}",
        "",
        "Standard output leads to a full disk, or to a terminal that is gone.",
    ),
    "file-unwritable": Kind(
        "{file} can't be written: {why}",
        "name a file in a folder that is there, that you may write to and that has space left",
        "labctl was asked to write a file, and the system would not have it.",
    ),
    "capture-unreadable": Kind(
        "{file} can't be read: {why}",
        "name a pcap or pcapng file, or - for standard input",
        "The file with captured packets isn't there, or may not be read.",
    ),
    "capture-broken": Kind(
        "{file}: {why}",
        "what was whole before is shown",
        "The file is no capture, is empty, or ends in the middle of a packet.",
    ),
    "nothing-in-common": Kind(
        "{first} and {second} have no packet in common",
        "take both while the same packets pass, with offload off (`ethtool -K IFACE tso off gso off gro off`)",
        "Two captures are put together by packets that both have: the same addresses or, behind a router that "
        "translates these, the same numbers and contents. Segments that a network card merges or cuts differ at both "
        "ends.",
    ),
    "no-such-flow": Kind(
        "{file} has no conversation {flow}; it has {has}",
        "--flow takes one of these numbers, an end (HOST or HOST:PORT), or both ends with a dash between",
        "The conversation that is to be drawn isn't in the capture.",
    ),
    "no-conversation": Kind(
        "{file} has no conversation to draw: it has {has}, none of them of IP or ARP",
        "`labctl packet {file}` lists what is there",
        "A ladder shows packets between two addresses.",
    ),
    "no-such-packet": Kind(
        "{file} has no packet {number}: {has}",
        "`labctl packet {file}` lists them; a negative number counts from the end",
        "The number of a packet lies outside the capture.",
    ),
    "disk-full": Kind(
        "there is no space left on the disk: {why}",
        "`docker system df` shows what Docker keeps, `docker builder prune` frees its build cache",
        "The engine or labctl could not write.",
    ),
}
