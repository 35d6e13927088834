"""Projects made and started over the engine's API: what is asked for at once, in which order, and what stays."""

import json
import select
import threading
from functools import partial

import pytest
from fake_engine import FakeEngine

from labctl.cancel import Cancel
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.docker.project import workers
from labctl.engine.docker.project.maker import Maker, wanted
from labctl.engine.docker.project.observed import Found
from labctl.engine.docker.project.starter import Starter, again, run_on
from labctl.engine.docker.project.workers import MOST, Workers
from labctl.engine.docker.wire import Wire
from labctl.engine.making.labels import Origin
from labctl.engine.model import COMPOSE_IMAGE, LABEL_MADE, Container
from labctl.errors import Cancelled, EngineRefused, EngineTimeout, LabError

CHECKED = {"healthcheck": {"test": ["CMD", "true"]}}
PATIENCE = 20.0  # seconds


class Known:
    """What Compose would say."""

    version = "2.26.1"

    def begin(self):
        """It is known already."""

    def origin(self, owners):
        return Origin(self.version, "/there", "/there/compose.yaml", hashes={})


@pytest.fixture
def engine(tmp_path):
    found = FakeEngine(tmp_path)
    yield found
    found.close()


def config(**services):
    plain = {"image": "program", "networks": {"net": None}}
    return {
        "name": "lab",
        "services": {name: {**plain, **service} for name, service in services.items()},
        "networks": {"net": {"name": "lab_net"}},
        "volumes": {"v": {"name": "lab_v"}},
    }


def bring_up(engine, asked, *, limit=PATIENCE, cancels=(), said=None, unfinished=None, start=False):
    wire, said = Wire(Endpoint(engine.url, "a test")), [] if said is None else said
    there = DockerEngine(Endpoint(engine.url, "a test"))
    look = partial(there.of_project, asked["name"])
    before = run_on(asked["services"], look)
    with Workers(limit, cancels, set() if unfinished is None else unfinished) as workers:
        maker = Maker(wire, asked, workers, said.append, Known)
        made = maker.make(start=start)
    for container in again(asked["services"], before, made):
        there.change("stop", container.id)
    with Workers(limit, cancels, set()) as workers:
        begin = partial(there.begin, limit=limit)
        Starter(look, begin, asked, made, workers, said.append, maker.begun).start()
    return said


def test_what_was_stopped_is_listed_as_stopped(engine):
    """Else whoever starts it at once takes it for one that runs already, and doesn't begin to record it again."""
    bring_up(engine, config(a={}))
    there = DockerEngine(Endpoint(engine.url, "a test"))
    [made] = there.containers()
    assert made.state == "running"
    there.change("stop", made.id)
    assert [(one.id, one.state) for one in there.containers()] == [(made.id, "exited")]


def started(engine):
    names = {ident: item["Names"][0][1:] for ident, item in engine.containers.items()}
    return [names[path.split("/")[2]] for path in engine.asked if path.endswith("/start")]


def test_what_waits_for_nobody_starts_as_soon_as_it_is_made(engine):
    many = {f"n{number}": {} for number in range(2 * MOST)}
    said = bring_up(engine, config(**many, last={"depends_on": {"n0": {"condition": "service_started"}}}), start=True)
    made = [place for place, path in enumerate(engine.asked) if "/containers/create" in path]
    begun = [place for place, path in enumerate(engine.asked) if path.endswith("/start")]
    assert begun[0] < made[-1]
    assert sorted(started(engine)) == sorted(f"lab-{name}-1" for name in (*many, "last"))
    assert started(engine)[-1] == "lab-last-1"
    assert said.index("Container lab-n0-1 Created") + 1 == said.index("Container lab-n0-1 Started")
    assert len(started(engine)) == len(set(started(engine)))


def test_what_ends_at_once_is_done_once(engine):
    """Whether it is begun with what waits for nobody, or when its turn comes; and again by the next `up`."""
    engine.jobs |= {"lab-a-1", "lab-c-1"}
    done = {"condition": "service_completed_successfully"}
    services = config(a={}, b={"depends_on": {"a": done}}, c={"depends_on": {"b": {"condition": "service_started"}}})
    bring_up(engine, services, start=True)
    assert started(engine) == ["lab-a-1", "lab-b-1", "lab-c-1"]
    bring_up(engine, config(d={}), start=True)
    bring_up(engine, services, start=True)
    assert started(engine)[3:] == ["lab-d-1", "lab-a-1", "lab-c-1"]


def test_where_all_has_begun_nobody_looks_whether_it_has(engine):
    bring_up(engine, config(a={}, b={}), start=True)
    assert engine.asked[-1].endswith("/start")


def test_where_some_are_there_all_are_made_before_any_starts(engine):
    """One may have the address that another has until it is replaced."""
    bring_up(engine, config(a={}), start=True)
    engine.asked.clear()
    bring_up(engine, config(a={"hostname": "x"}, b={}), start=True)
    paths = [path for path in engine.asked if path.endswith("/start") or "/containers/create" in path]
    assert [path.endswith("/start") for path in paths] == [False, False, True, True]


def test_networks_come_before_containers_and_all_of_them_before_any_starts(engine):
    said = bring_up(engine, config(a={}, b={}))
    made = [line for line in engine.asked if "create" in line]
    assert [line.split()[-1] for line in made[:2]] == ["lab_net", "lab_v"]
    assert {line.split()[-1] for line in made[2:]} == {"lab-a-1", "lab-b-1"}
    assert engine.asked.index(made[-1]) < min(engine.asked.index(line) for line in engine.asked if "/start" in line)
    assert {"Network lab_net Created", "Container lab-a-1 Created", "Container lab-a-1 Started"} <= set(said)


def test_what_is_to_restart_with_one_that_is_made_anew_begins_behind_it(engine):
    behind = {
        "b": {"depends_on": {"a": {"condition": "service_started", "restart": True}}},
        "c": {"depends_on": {"a": {"condition": "service_started"}}},
        "d": {"depends_on": {"b": {"condition": "service_started", "restart": True}}},
    }
    bring_up(engine, config(a={}, **behind))
    kept = {name: engine.named(f"lab-{name}-1")["Id"] for name in behind}
    engine.asked.clear()
    bring_up(engine, config(a={"hostname": "new"}, **behind))
    assert {name: engine.named(f"lab-{name}-1")["Id"] for name in behind} == kept
    assert f"POST /containers/{kept['b']}/stop" in engine.asked
    assert started(engine) == ["lab-a-1", "lab-b-1"]
    engine.asked.clear()
    bring_up(engine, config(a={"hostname": "new", "scale": 2}, **behind))
    assert set(started(engine)) == {"lab-a-2"}  # which is in nobody's place


def test_eight_are_made_at_once(engine):
    companions = threading.Barrier(MOST, timeout=PATIENCE)

    def before(path):
        if "containers/create" in path:
            companions.wait()

    engine.before = before
    bring_up(engine, config(a={"scale": 2 * MOST}))
    assert engine.at_once == MOST
    assert len(engine.containers) == 2 * MOST


def test_a_second_time_nothing_is_asked_for(engine):
    asked = config(a={"scale": 2}, b={"network_mode": "service:a", "networks": None})
    bring_up(engine, asked)
    engine.asked.clear()
    bring_up(engine, asked)
    assert [line for line in engine.asked if not line.startswith("GET")] == []


def test_only_what_changed_is_made_anew_and_the_old_one_goes_last(engine):
    bring_up(engine, config(a={}, b={}))
    old, kept = engine.named("lab-a-1")["Id"], engine.named("lab-b-1")["Id"]
    engine.asked.clear()
    bring_up(engine, config(a={"hostname": "new"}, b={}))
    new = engine.named("lab-a-1")
    assert engine.named("lab-b-1")["Id"] == kept
    assert [line for line in engine.asked if not line.startswith("GET")] == [
        f"POST /containers/create {old[:12]}_lab-a-1",
        f"POST /containers/{old}/stop",
        f"DELETE /containers/{old}",
        f"POST /containers/{new['Id']}/rename lab-a-1",
        f"POST /containers/{new['Id']}/start",
    ]


@pytest.mark.parametrize("step", ["stop", "DELETE", "rename"])
def test_a_replacement_that_was_cut_short_is_finished_by_the_next(engine, step):
    asked = config(a={"hostname": "new"})
    bring_up(engine, config(a={}))
    engine.before = lambda path: (500, {"message": "dead"}) if step in path else None
    with pytest.raises(EngineRefused):
        bring_up(engine, asked)
    assert len(engine.containers) == (1 if step == "rename" else 2)
    engine.before = lambda path: None
    bring_up(engine, asked)
    (left,) = engine.containers.values()
    assert (left["Names"], left["State"], left["Asked"]["Hostname"]) == (["/lab-a-1"], "running", "new")


def test_what_shares_a_network_is_made_after_its_owner_and_anew_with_it(engine):
    bring_up(engine, config(b={"network_mode": "service:a", "networks": None}, a={}))
    owner = engine.named("lab-a-1")["Id"]
    assert engine.named("lab-b-1")["HostConfig"]["NetworkMode"] == f"container:{owner}"
    bring_up(engine, config(b={"network_mode": "service:a", "networks": None}, a={"hostname": "new"}))
    assert engine.named("lab-b-1")["HostConfig"]["NetworkMode"] == f"container:{engine.named('lab-a-1')['Id']}"
    assert owner not in engine.containers


def test_each_starts_after_those_it_waits_for(engine):
    healthy, done = threading.Event(), threading.Event()

    def before(path):
        if path.startswith("GET /containers/json"):
            names = {item["Names"][0]: item for item in engine.containers.values()}
            if names.get("/lab-db-1", {}).get("State") == "running" and healthy.is_set():
                names["/lab-db-1"]["Status"] = "Up 1 second (healthy)"
            if names.get("/lab-job-1", {}).get("State") == "running" and done.is_set():
                names["/lab-job-1"] |= {"State": "exited", "Status": "Exited (0) 1 second ago"}
            healthy.set()
            done.set()

    engine.before = before
    last = {"db": {"condition": "service_healthy"}, "job": {"condition": "service_completed_successfully"}}
    bring_up(
        engine,
        config(
            web={"depends_on": last},
            job={},
            db=CHECKED,
            front={"depends_on": {"web": {"condition": "service_started"}}},
        ),
    )
    assert set(started(engine)[:2]) == {"lab-db-1", "lab-job-1"}
    assert started(engine)[2:] == ["lab-web-1", "lab-front-1"]


def test_one_that_has_ended_before_is_awaited_anew(engine):
    """What it was when it ended says nothing of how it does now."""

    def before(path):
        for item in engine.containers.values():
            if path.startswith("GET /containers/json") and item["State"] == "running":
                item["Status"] = "Up 1 second (healthy)"

    engine.before = before
    wanted = config(db=CHECKED, web={"depends_on": {"db": {"condition": "service_healthy"}}})
    bring_up(engine, wanted)
    for item in engine.containers.values():
        item["State"], item["Status"] = "exited", "Exited (0) 5 minutes ago"
    bring_up(engine, wanted)
    assert started(engine)[2:] == ["lab-db-1", "lab-web-1"]


@pytest.mark.parametrize(
    ("status", "condition", "why"),
    [
        ("running|Up 1 second (unhealthy)", "service_healthy", "container lab-db-1 is unhealthy"),
        ("exited|Exited (3) 1 second ago", "service_healthy", "container lab-db-1 exited (3)"),
        ("running|Up 1 second", "service_healthy", "container lab-db-1 has no healthcheck configured"),
        ("exited|Exited (3) 1 second ago", "service_completed_successfully", 'service "db" didn\'t complete'),
    ],
)
def test_a_dependency_that_fails_is_told_as_compose_does(engine, status, condition, why):
    def before(path):
        for item in engine.containers.values():
            if item["Names"] == ["/lab-db-1"] and item["State"] == "running":
                item["State"], item["Status"] = status.split("|")

    engine.before = before
    with pytest.raises(LabError) as caught:
        bring_up(engine, config(db=CHECKED, web={"depends_on": {"db": {"condition": condition}}}))
    assert caught.value.code == "start-failed"
    assert why in caught.value.message
    said = bring_up(engine, config(db=CHECKED, web={"depends_on": {"db": {"condition": condition, "required": False}}}))
    assert [line for line in said if line.startswith("note: web doesn't wait for db: ") and why in line]
    assert engine.named("lab-web-1")["State"] == "running"


def test_what_is_refused_ends_the_rest(engine):
    refused, came = threading.Event(), []

    def before(path):
        if "containers/create" in path:
            came.append(path)
            if "name=lab-a-1" in path:
                return 409, {"message": "no room"}
            refused.wait(PATIENCE)
        return None

    engine.before = before
    with pytest.raises(EngineRefused, match="would not make lab-a-1: no room"):
        bring_up(engine, config(a={"scale": 1}, b={"scale": 50}))
    refused.set()
    assert len(came) <= MOST


def test_where_one_network_is_refused_it_is_known_of_the_others_whether_they_are_there(engine, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    both, told = threading.Barrier(2, timeout=PATIENCE), threading.Event()

    def before(path):
        if "networks/create" in path:
            if both.wait() == 0:
                return 403, {"message": "Pool overlaps with other one on this address space"}
            told.wait(0.5)  # the engine takes longer for the other one
        return None

    engine.before = before
    asked = config(a={})
    asked["networks"]["other"] = {"name": "lab_other"}
    with pytest.raises(EngineRefused, match="Pool overlaps"):
        bring_up(engine, asked)
    there = len(engine.networks)
    told.set()
    assert there == 1


def test_what_is_given_after_a_failure_never_begins():
    done = []

    def fail():
        raise ConnectionError("no room")

    with Workers(PATIENCE, (), set()) as workers:
        workers.submit("a", fail)
        select.select([workers], [], [], PATIENCE)
        workers.submit("b", lambda: done.append("b"))
        with pytest.raises(ConnectionError):
            list(workers.until_idle())
    assert done == []


@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_who_stops_waiting_knows_what_the_engine_is_still_at(engine, how):
    cancel, go_on, unfinished = Cancel(), threading.Event(), set()

    def before(path):
        if "name=lab-a-1" in path:
            if how == "cancelled":
                cancel.cancel()
            go_on.wait(PATIENCE)

    engine.before = before
    wrong, limit = (Cancelled, PATIENCE) if how == "cancelled" else (EngineTimeout, 1.0)
    with pytest.raises(wrong):
        bring_up(engine, config(a={}), cancels=[cancel], limit=limit, unfinished=unfinished)
    go_on.set()
    assert unfinished == {"lab-a-1"}


def found(number, digest="d", image="i"):
    labels = {LABEL_MADE: digest, COMPOSE_IMAGE: image}
    return Found(Container(str(number), f"lab-a-{number}", "x", "running", labels), number, ())


def numbers(several):
    return [item.number for item in several]


def test_which_containers_stay_go_and_come():
    there = [found(1), found(2, digest="other"), found(4, image="other"), found(5)]
    fewer = wanted(there, 3, "d", "i")
    assert (numbers(fewer.keep), numbers(fewer.replace), fewer.make, numbers(fewer.remove)) == ([1], [2, 4], [], [5])
    more = wanted(there, 6, "d", "i")
    assert (numbers(more.keep), numbers(more.replace), more.make, more.remove) == ([1, 5], [2, 4], [6, 7], [])
    assert wanted([], 2, "d", "i").make == [1, 2]


def test_services_that_are_scaled_down_lose_their_last_containers(engine):
    bring_up(engine, config(a={"scale": 3}))
    bring_up(engine, config(a={"scale": 1}))
    assert [item["Names"] for item in engine.containers.values()] == [["/lab-a-1"]]


def test_a_network_of_somebody_else_is_named_by_its_id_and_must_be_there(engine):
    asked = config(a={})
    asked["networks"]["net"] |= {"external": True}
    with pytest.raises(LabError, match="network lab_net declared as external, but could not be found"):
        bring_up(engine, asked)
    engine.networks["lab_net"] = {"Name": "lab_net", "Id": "f" * 64}
    bring_up(engine, asked)
    assert engine.named("lab-a-1")["HostConfig"]["NetworkMode"] == "f" * 64


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"variable": "DOCKER_DEFAULT_PLATFORM"}, "DOCKER_DEFAULT_PLATFORM is set"),
        ({"client": {"proxies": {"default": {}}}}, "Docker's client is configured to tell containers of proxies"),
        ({"api": "1.43"}, "the engine's API is 1.43, and 1.44 is needed"),
        ({"field": {"gpus": "all"}}, "labctl doesn't make all of it (services.a.gpus)"),
    ],
)
def test_why_a_project_is_left_to_compose(engine, tmp_path, monkeypatch, change, why):
    (tmp_path / "config.json").write_text(json.dumps(change.get("client", {})))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_DEFAULT_PLATFORM", "COMPOSE_COMPATIBILITY"):
        monkeypatch.delenv(name, raising=False)
    if "variable" in change:
        monkeypatch.setenv(change["variable"], "linux/arm64")
    engine.api = change.get("api", engine.api)
    found = DockerEngine(Endpoint(engine.url, "a test"))
    assert found.left_to_compose(config(a=change.get("field", {}))) == why
