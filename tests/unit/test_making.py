"""What labctl asks an engine for, of a configuration that Compose has read. tests/e2e/test_making.py tries it."""

import copy

import pytest

from labctl.engine.making import container, known, mounts, networks, values
from labctl.engine.making.container import Place
from labctl.engine.making.labels import Origin
from labctl.engine.making.references import circle, levels
from labctl.engine.model import COMPOSE_HASH, COMPOSE_IMAGE, COMPOSE_NUMBER, LABEL_MADE

NAME = {"name": "lab", "networks": {"net": {"name": "lab_net"}}}
PLAIN = {"image": "program", "networks": {"net": {}}}
ORIGIN = Origin("2.26.1", "/there", "/there/compose.yaml", hashes={"a": "aaaa", "b": "bbbb"})

# A value for each field of a service. The first of these change nothing of its container: they matter to others.
PASSED_OVER = {
    "attach": False,
    "build": {"context": "."},
    "develop": {},
    "profiles": ["one"],
    "pull_policy": "missing",
    "scale": 3,
}
FIELDS = {
    "image": "other",
    "command": ["run"],
    "entrypoint": ["begin"],
    "environment": {"A": "1", "B": None},
    "init": True,
    "stdin_open": True,
    "tty": True,
    "user": "1000",
    "group_add": ["1001"],
    "working_dir": "/w",
    "healthcheck": {"test": ["CMD", "true"], "interval": "1m30s", "retries": 3},
    "restart": "on-failure:3",
    "stop_grace_period": "1m0s",
    "stop_signal": "SIGINT",
    "depends_on": {"b": {"condition": "service_healthy", "required": True}},
    "container_name": "other",
    "domainname": "d",
    "hostname": "h",
    "annotations": {"a": "b"},
    "labels": {"a": "b"},
    "cap_add": ["NET_ADMIN"],
    "cap_drop": ["ALL"],
    "cgroup": "host",
    "cgroup_parent": "p",
    "device_cgroup_rules": ["c 1:3 mr"],
    "devices": ["/dev/null:/dev/n:r"],
    "ipc": "host",
    "isolation": "default",
    "pid": "host",
    "privileged": True,
    "read_only": True,
    "runtime": "runc",
    "security_opt": ["no-new-privileges:true"],
    "storage_opt": {"size": "1G"},
    "sysctls": {"net.ipv4.ip_forward": "1"},
    "userns_mode": "host",
    "uts": "host",
    "cpu_count": 1,
    "cpu_percent": 50,
    "cpu_period": 1,
    "cpu_quota": 1,
    "cpu_rt_period": 1,
    "cpu_rt_runtime": 1,
    "cpu_shares": 1,
    "cpus": 0.5,
    "cpuset": "0",
    "deploy": {"resources": {"limits": {"memory": "1024"}}},
    "mem_limit": "1024",
    "mem_reservation": "1024",
    "mem_swappiness": "10",
    "memswap_limit": "2048",
    "oom_kill_disable": True,
    "oom_score_adj": 1,
    "pids_limit": 5,
    "shm_size": "1024",
    "ulimits": {"nofile": {"soft": 1, "hard": 2}},
    "dns": ["10.0.0.1"],
    "dns_opt": ["ndots:1"],
    "dns_search": ["example"],
    "expose": ["80"],
    "extra_hosts": ["h=10.0.0.1"],
    "links": ["b:other"],
    "mac_address": "02:00:00:00:00:01",
    "network_mode": "host",
    "networks": {"net": {"ipv4_address": "10.0.0.9"}},
    "ports": [{"target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"}],
    "configs": [{"source": "c"}],
    "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
    "secrets": [{"source": "s"}],
    "tmpfs": ["/t:size=1m"],
    "volume_driver": "local",
    "volumes": [{"type": "volume", "source": "v", "target": "/v", "volume": {}}],
}


def project(**services):
    return {
        **copy.deepcopy(NAME),
        "services": services,
        "volumes": {"v": {"name": "lab_v"}},
        "secrets": {"s": {"name": "lab_s", "file": "/s.txt"}},
        "configs": {"c": {"name": "lab_c", "file": "/c.txt"}},
    }


def asked(service, **place):
    config = project(a={**PLAIN, **service}, b=PLAIN)
    return container.body(config, "a", config["services"]["a"], Place(**place), ORIGIN)


def test_each_field_of_the_table_is_tried():
    assert {*PASSED_OVER, *FIELDS} == set(known.SERVICE)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_known_changes_what_is_asked_for(name):
    config = project(a={**PLAIN, name: FIELDS[name]}, b=PLAIN)
    assert known.unknown(config) is None
    before, after = asked({}), asked({name: FIELDS[name]})
    assert before["Labels"][LABEL_MADE] != after["Labels"][LABEL_MADE]
    assert before != {**after, "Labels": before["Labels"]} or name in ("labels", "depends_on")


@pytest.mark.parametrize("name", PASSED_OVER)
def test_a_field_for_others_changes_nothing(name):
    assert known.unknown(project(a={**PLAIN, name: PASSED_OVER[name]})) is None
    assert asked({name: PASSED_OVER[name]}) == asked({})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gpus": "all"}, "services.a.gpus"),
        ({"pull_policy": "always"}, "services.a.pull_policy"),
        ({"ipc": "service:b"}, "services.a.ipc"),
        ({"security_opt": ["seccomp=profile.json"]}, "services.a.security_opt"),
        ({"devices": [{"source": "/dev/null"}]}, "services.a.devices"),
        (
            {"deploy": {"resources": {"reservations": {"devices": []}}}},
            "services.a.deploy.resources.reservations.devices",
        ),
        ({"networks": {"net": {"interface_name": "eth9"}}}, "services.a.networks"),
        ({"volumes": [{"type": "image", "source": "x", "target": "/x"}]}, "services.a.volumes.type"),
        ({"healthcheck": {"test": "true"}}, "services.a.healthcheck.test"),
        ({"network_mode": "service:gone"}, "services.a needs gone, which is not there"),
        ({"depends_on": {"a": {"condition": "service_started"}}}, "services.a.depends_on goes round in a circle"),
    ],
)
def test_what_is_not_known_is_named(change, field):
    assert known.unknown(project(a={**PLAIN, **change}, b=PLAIN)) == field


def test_what_is_not_known_beside_services():
    nobody = project(a={**PLAIN, "network_mode": "service:b"}, b={**PLAIN, "scale": 0})
    assert known.unknown(nobody) == "services.a needs b, of which there is none"
    config = project(a=PLAIN)
    assert known.unknown({**config, "models": {"m": {}}}) == "models"
    assert known.unknown({**config, "configs": {"c": {"name": "lab_c", "content": "text"}}}) == "configs.c"
    assert (
        known.unknown({**config, "networks": {"net": {"name": "n", "enable_ipv4": False}}})
        == "networks.net.enable_ipv4"
    )
    assert known.unknown({**config, "volumes": {"v": {"external": True}}}) == "volumes.v without a name"
    assert known.unknown({**config, "x-mine": 1, "services": {"a": {**PLAIN, "x-labctl": {}}}}) is None


def test_where_it_is_from_is_in_the_labels_and_not_in_the_digest():
    there, elsewhere = asked({}, number=2, image="sha256:1"), asked({}, image="sha256:2", replaces="f" * 64)
    assert (there["Labels"][COMPOSE_HASH], there["Labels"][COMPOSE_NUMBER]) == ("aaaa", "2")
    assert there["Labels"][COMPOSE_IMAGE] == "sha256:1"
    assert there["Labels"][LABEL_MADE] == elsewhere["Labels"][LABEL_MADE]
    assert elsewhere["Labels"]["com.docker.compose.replace"] == "f" * 64


def test_addresses_and_names_on_networks():
    nets = {"one": {"name": "lab_one"}, "two": {"name": "lab_two"}}
    service = {"networks": {"one": None, "two": {"priority": 5, "ipv6_address": "fd00::9", "aliases": ["www"]}}}
    ends = networks.endpoints("a", "lab-a-1", {**service, "mac_address": "02::1"}, nets, ())
    assert list(ends) == ["lab_two", "lab_one"]
    assert ends["lab_one"] == {"Aliases": ["lab-a-1", "a"]}
    assert ends["lab_two"]["Aliases"] == ["lab-a-1", "a", "www"]
    assert ends["lab_two"]["IPAMConfig"] == {"IPv6Address": "fd00::9"}
    assert ends["lab_two"]["MacAddress"] == "02::1"
    assert networks.mode(service, nets) == "lab_two"
    assert networks.mode({}, {}) == "none"


def test_a_folder_that_may_be_missing_is_a_bind_and_another_one_is_a_mount():
    made = {"type": "bind", "source": "/here", "target": "/a", "bind": {"create_host_path": True, "selinux": "z"}}
    kept = {"type": "bind", "source": "/here", "target": "/b/", "read_only": True, "bind": {}}
    binds, other = mounts.binds_and_mounts({"volumes": [made, kept]}, {})
    assert binds == ["/here:/a:rw,z"]
    assert [(item["Type"], item["Target"], item["ReadOnly"]) for item in other] == [("bind", "/b", True)]


def test_volumes_without_a_name_go_over_to_the_container_that_replaces_another():
    def mount(target, **more):
        return {"Type": "volume", "Name": f"name of {target}", "Source": "/x", "Destination": target, "RW": True} | more

    old = [mount("/data"), mount("/declared", RW=False), mount("/named"), mount("/gone")]
    volumes = [{"type": "volume", "target": "/data", "volume": {}}]
    volumes.append({"type": "volume", "source": "v", "target": "/named", "volume": {}})
    _, found = mounts.binds_and_mounts({"volumes": volumes}, project(), old, ["/declared"])
    assert [(item["Target"], item["Source"], item["ReadOnly"]) for item in found] == [
        ("/data", "name of /data", False),
        ("/declared", "name of /declared", True),
        ("/named", "lab_v", False),
    ]


@pytest.mark.parametrize(
    ("text", "number"), [("20s", 20e9), ("1h0m0.5s", 3600.5e9), ("250ms", 25e7), ("90us", 9e4), ("", 0), (None, 0)]
)
def test_durations(text, number):
    assert values.nanoseconds(text) == number


def test_shares_of_processors_are_as_exact_as_those_of_compose():
    assert [values.nano_cpus(value) for value in (0.1, "0.3", 2)] == [100000000, 300000000, 2000000000]
    assert values.nano_cpus(0.07) == 70000000


def test_groups_that_need_each_other():
    services = {"web": {"links": ["db"]}, "side": {"network_mode": "service:web"}, "db": {}, "other": {}}
    assert levels(services) == [["db", "other"], ["web"], ["side"]]
    assert circle({"a": {"depends_on": {"b": {}}}, "b": {"network_mode": "service:a"}})
