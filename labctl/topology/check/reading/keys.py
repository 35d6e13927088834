"""The keys of a Compose file and of x-labctl, and what each may hold. Facts of the Compose specification, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from labctl.named import NamedTuple
from labctl.topology import extension

# What a scalar is taken for: `text` refuses what YAML reads as a number; `any-text` takes it and writes it back;
# `flag` is a boolean or a variable; `bool` a boolean and nothing else; `number` and `mode` take digits in quotes too;
# `amount` is a number or a text with a unit; `free` is not looked at.
Word = Literal["text", "any-text", "flag", "bool", "number", "amount", "mode", "port", "free"]


class Shape(NamedTuple):
    """What may stand at one place: a scalar, a list of `items`, a mapping with known `keys` or of names to `values`."""

    word: Word | None = None
    items: Shape | None = None
    keys: Mapping[str, Shape] | None = None
    values: Shape | None = None
    names: bool = True  # of `values`: names that people chose, not texts such as an environment variable's

    @property
    def open(self) -> bool:
        return self == ANY


ANY = Shape()
TEXT, ANY_TEXT, FLAG, BOOL = Shape("text"), Shape("any-text"), Shape("flag"), Shape("bool")
NUMBER, AMOUNT, MODE, PORT = Shape("number"), Shape("amount"), Shape("mode"), Shape("port")
TEXTS = Shape(items=TEXT)
TEXT_OR_TEXTS = Shape("text", items=TEXT)
HOSTS = Shape(items=TEXT, values=Shape("any-text", items=TEXT), names=False)  # of a name: one address or several
PAIRS = Shape(items=TEXT, values=ANY_TEXT, names=False)  # KEY=VALUE, or a mapping
OPTIONS = Shape(values=ANY_TEXT, names=False)


def mapping(*groups: Mapping[str, Shape], word: Word | None = None, **keys: Shape) -> Shape:
    """A mapping with known keys, or a word in its place."""
    return Shape(word, keys={**{key: shape for group in groups for key, shape in group.items()}, **keys})


def alike(names: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


ULIMITS = Shape(values=mapping(word="number", soft=NUMBER, hard=NUMBER))
GRANTS = Shape(items=mapping(alike("source target uid gid", TEXT), word="text", mode=MODE))
HOOKS = Shape(items=mapping(command=TEXT_OR_TEXTS, user=TEXT, privileged=FLAG, working_dir=TEXT, environment=PAIRS))
GPUS = Shape("text", items=mapping(capabilities=TEXTS, count=AMOUNT, device_ids=TEXTS, driver=TEXT, options=PAIRS))

HEALTHCHECK = mapping(
    alike("interval timeout start_period start_interval", TEXT),
    disable=FLAG,
    retries=NUMBER,
    test=TEXT_OR_TEXTS,
)
BUILD = mapping(
    alike("context dockerfile dockerfile_inline network target isolation", TEXT),
    alike("args labels additional_contexts", PAIRS),
    alike("extra_hosts", HOSTS),
    alike("entitlements cache_from cache_to tags platforms", TEXTS),
    alike("no_cache pull privileged", FLAG),
    alike("provenance sbom no_cache_filter ssh", ANY),
    word="text",
    shm_size=AMOUNT,
    secrets=GRANTS,
    ulimits=ULIMITS,
)
_UPDATE = mapping(alike("delay failure_action monitor order", TEXT), parallelism=NUMBER, max_failure_ratio=AMOUNT)
DEPLOY = mapping(
    alike("mode endpoint_mode", TEXT),
    replicas=NUMBER,
    labels=PAIRS,
    rollback_config=_UPDATE,
    update_config=_UPDATE,
    resources=mapping(
        limits=mapping(cpus=AMOUNT, memory=AMOUNT, pids=NUMBER, devices=ANY),
        reservations=mapping(cpus=AMOUNT, memory=AMOUNT, pids=NUMBER, generic_resources=ANY, devices=ANY),
    ),
    restart_policy=mapping(condition=TEXT, delay=TEXT, max_attempts=NUMBER, window=TEXT),
    placement=mapping(constraints=TEXTS, preferences=Shape(items=mapping(spread=TEXT)), max_replicas_per_node=NUMBER),
)
PORTS = Shape(
    items=mapping(alike("name mode host_ip protocol app_protocol", TEXT), word="port", target=PORT, published=PORT)
)
DEPENDS_ON = Shape(items=TEXT, values=mapping(restart=FLAG, required=FLAG, condition=TEXT))
ATTACHED = Shape(
    items=TEXT,
    values=mapping(
        alike("ipv4_address ipv6_address mac_address interface_name", TEXT),
        alike("aliases link_local_ips", TEXTS),
        driver_opts=OPTIONS,
        priority=NUMBER,
        gw_priority=NUMBER,
    ),
)
MOUNTS = Shape(
    items=mapping(
        alike("type source target consistency", TEXT),
        word="text",
        read_only=FLAG,
        bind=mapping(propagation=TEXT, create_host_path=FLAG, recursive=TEXT, selinux=TEXT),
        volume=mapping(labels=PAIRS, nocopy=FLAG, subpath=TEXT),
        tmpfs=mapping(size=AMOUNT, mode=MODE),
        image=mapping(subpath=TEXT),
    )
)
_WATCH = mapping(alike("path action target", TEXT), alike("ignore include", TEXT_OR_TEXTS), initial_sync=FLAG, exec=ANY)
DEVELOP = mapping(watch=Shape(items=_WATCH))

ON_SERVICE = Shape(keys={"routes": TEXT_OR_TEXTS, "movable_ports": BOOL})
ON_NETWORK = Shape(keys={"movable": BOOL, "ipv4": BOOL, "one_machine": BOOL})
AT_TOP = Shape(keys={"title": TEXT, "description": TEXT, "links": TEXT_OR_TEXTS, "outside": BOOL})

SERVICE = Shape(
    keys={
        **alike(
            "image hostname domainname container_name user working_dir network_mode pid ipc uts userns_mode cgroup "
            "cgroup_parent platform pull_policy pull_refresh_after restart runtime stop_signal stop_grace_period "
            "mac_address isolation cpuset volume_driver",
            TEXT,
        ),
        **alike("command entrypoint dns dns_search tmpfs", TEXT_OR_TEXTS),
        **alike("cap_add cap_drop security_opt links external_links volumes_from profiles dns_opt", TEXTS),
        **alike("device_cgroup_rules", TEXTS),
        **alike("environment labels annotations sysctls", PAIRS),
        "extra_hosts": HOSTS,
        **alike("stdin_open tty init privileged read_only attach oom_kill_disable use_api_socket", FLAG),
        **alike("scale oom_score_adj mem_swappiness cpu_count pids_limit", NUMBER),
        **alike(
            "mem_limit mem_reservation memswap_limit shm_size cpus cpu_shares cpu_quota cpu_period cpu_percent "
            "cpu_rt_period cpu_rt_runtime",
            AMOUNT,
        ),
        **alike("devices storage_opt credential_spec blkio_config provider models", ANY),
        **alike("configs secrets", GRANTS),
        **alike("expose group_add", Shape(items=AMOUNT)),
        "build": BUILD,
        "depends_on": DEPENDS_ON,
        "deploy": DEPLOY,
        "develop": DEVELOP,
        "env_file": Shape("text", items=mapping(word="text", path=TEXT, required=FLAG, format=TEXT)),
        "label_file": TEXT_OR_TEXTS,
        "extends": mapping(word="text", service=TEXT, file=TEXT),
        "gpus": GPUS,
        "healthcheck": HEALTHCHECK,
        "logging": mapping(driver=TEXT, options=OPTIONS),
        "networks": ATTACHED,
        "ports": PORTS,
        "post_start": HOOKS,
        "pre_start": HOOKS,
        "pre_stop": HOOKS,
        "ulimits": ULIMITS,
        "volumes": MOUNTS,
        "x-labctl": ON_SERVICE,
    }
)
_OUTSIDE = mapping(word="flag", name=TEXT)  # external: true, or the older {name: ...}
NETWORK = Shape(
    keys={
        **alike("name driver", TEXT),
        **alike("attachable enable_ipv4 enable_ipv6 internal", FLAG),
        "driver_opts": OPTIONS,
        "external": _OUTSIDE,
        "labels": PAIRS,
        "ipam": mapping(
            driver=TEXT,
            options=OPTIONS,
            config=Shape(items=mapping(alike("subnet ip_range gateway", TEXT), aux_addresses=OPTIONS)),
        ),
        "x-labctl": ON_NETWORK,
    }
)
VOLUME = mapping(alike("name driver", TEXT), driver_opts=OPTIONS, external=_OUTSIDE, labels=PAIRS)
_STORED = mapping(
    alike("name file environment content driver template_driver", TEXT),
    driver_opts=OPTIONS,
    external=_OUTSIDE,
    labels=PAIRS,
)
TOP = Shape(
    keys={
        **alike("name version", TEXT),
        "include": Shape(
            items=mapping(word="text", path=TEXT_OR_TEXTS, env_file=TEXT_OR_TEXTS, project_directory=TEXT)
        ),
        "services": Shape(values=SERVICE),
        "networks": Shape(values=NETWORK),
        "volumes": Shape(values=VOLUME),
        "secrets": Shape(values=_STORED),
        "configs": Shape(values=_STORED),
        "models": ANY,
        "x-labctl": AT_TOP,
    }
)

# What extension.py reads, by the place it stands at: a test keeps these and the shapes above the same.
EXTENSIONS = (
    (AT_TOP, extension.TOP_KEYS),
    (ON_SERVICE, extension.SERVICE_KEYS),
    (ON_NETWORK, extension.NETWORK_KEYS),
)
