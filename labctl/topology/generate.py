"""Topologies of a chosen size, as Compose files: `line:N` and `star:N`. Text, no I/O."""

from __future__ import annotations

_EXTENDS = "    extends: {{file: ../services/nodes.yaml, service: {}}}\n"


def line(count: int) -> str:
    """`count` networks in a row, a router between each two, a client at one end and an echo server at the other."""
    nets = range(1, count + 1)
    plan = "\n".join(f"#   net{n}  10.80.{n}.0/24" + _hosts(n, count) for n in nets)
    head = f"""# A line of {count} networks with a router between each two.
#
{plan}
#
# From one end to the other a packet passes {count - 1} routers, each of which takes one from its TTL.
# `labctl up line:N` makes one of N networks.
name: line

x-labctl:
  title: A line of {count} networks
  description: A client and a server with {count - 1} routers between them.

services:
"""
    services = [_client("net1", "10.80.1.4", f"10.80.{count}.3", "r1")]
    services += [_line_router(n, count) for n in range(1, count)]
    services.append(_echo("echo", f"net{count}", f"10.80.{count}.3", f"r{count - 1}"))
    return head + "\n".join(services) + _networks([(f"net{n}", f"10.80.{n}.0/24") for n in nets])


def star(count: int) -> str:
    """`count` networks, a host on each, and one router in the middle of them all."""
    nets = range(1, count + 1)
    plan = "\n".join(f"#   arm{n}  10.81.{n}.0/24   h{n} .3   router .254" for n in nets)
    head = f"""# A star of {count} networks around one router, a host on each.
#
{plan}
#
# Any two hosts reach each other through the router. `labctl up star:N` makes one of N networks.
name: star

x-labctl:
  title: A star of {count} networks
  description: One router, and a host on each of its networks.

services:
"""
    attached = "".join(f"      arm{n}: {{ipv4_address: 10.81.{n}.254}}\n" for n in nets)
    router = f"  router:\n{_EXTENDS.format('router')}    hostname: router\n    networks:\n{attached}"
    hosts = [_star_host(n, count) for n in nets]
    return head + "\n".join([router, *hosts]) + _networks([(f"arm{n}", f"10.81.{n}.0/24") for n in nets])


def _hosts(number: int, count: int) -> str:
    hosts = ["client .4"] if number == 1 else []
    hosts += ["echo .3"] if number == count else []
    hosts += [f"r{number - 1} .253"] if number > 1 else []
    hosts += [f"r{number} .254"] if number < count else []
    return "   " + "   ".join(hosts)


def _client(net: str, address: str, server: str, via: str) -> str:
    return (
        f"  client:\n{_EXTENDS.format('echo-client')}    hostname: client\n"
        f'    environment: {{TARGET: "echo:7"}}\n    extra_hosts: {{echo: {server}}}\n'
        f"    networks: {{{net}: {{ipv4_address: {address}}}}}\n    x-labctl: {{routes: [default via {via}]}}\n"
    )


def _echo(name: str, net: str, address: str, via: str) -> str:
    return (
        f"  {name}:\n{_EXTENDS.format('echo-server')}    hostname: {name}\n"
        f"    networks: {{{net}: {{ipv4_address: {address}}}}}\n    x-labctl: {{routes: [default via {via}]}}\n"
    )


def _line_router(number: int, count: int) -> str:
    """Between net N and net N+1; what lies further on either side is the next router's."""
    routes = [f"10.80.{net}.0/24 via r{number - 1}" for net in range(1, number)]
    routes += [f"10.80.{net}.0/24 via r{number + 1}" for net in range(number + 2, count + 1)]
    listed = "".join(f"        - {route}\n" for route in routes)
    extension = f"    x-labctl:\n      routes:\n{listed}" if routes else ""
    return (
        f"  r{number}:\n{_EXTENDS.format('router')}    hostname: r{number}\n    networks:\n"
        f"      net{number}: {{ipv4_address: 10.80.{number}.254}}\n"
        f"      net{number + 1}: {{ipv4_address: 10.80.{number + 1}.253}}\n{extension}"
    )


def _star_host(number: int, count: int) -> str:
    """A UDP peer whose own peer is the next one around the star."""
    following = number % count + 1
    return (
        f"  h{number}:\n{_EXTENDS.format('udp-peer')}    hostname: h{number}\n"
        f'    environment: {{PEER: "h{following}:5005"}}\n    extra_hosts: {{h{following}: 10.81.{following}.3}}\n'
        f"    networks: {{arm{number}: {{ipv4_address: 10.81.{number}.3}}}}\n"
        f"    x-labctl: {{routes: [default via router]}}\n"
    )


def _networks(nets: list[tuple[str, str]]) -> str:
    return "\nnetworks:\n" + "".join(
        f"  {name}:\n    ipam: {{config: [{{subnet: {subnet}}}]}}\n" for name, subnet in nets
    )
