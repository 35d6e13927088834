"""One machine, one engine, three real users: as docs/class.md has it."""

import json
import os
import secrets
import signal

import pytest
import users
from conftest import SESSION
from outside import Terminal, finish

NAME = f"e2e-{SESSION}-class-{secrets.token_hex(2)}"
TEXT = f"name: {NAME}\nservices:\n  a: {{image: labctl/echo-client, init: true, stdin_open: true}}\n"

pytestmark = [
    pytest.mark.turn(2),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can make users, and be each of them"),
]


@pytest.fixture(scope="module")
def three(engine):
    """Three users, each of whom has brought up a lab from a file of his own, at the same moment: (user, name)."""
    with users.made("anna", "ben", "cleo") as found:
        for user in found:
            (user.home / "lab.yaml").write_text(TEXT)
        # All have seen that the name is free before the first one makes anything.
        begun = [user.begin("up", "lab.yaml", LABCTL_STOP_AT="up:lab-locked") for user in found]
        try:
            for child in begun:
                _, status = os.waitpid(child.pid, os.WUNTRACED)
                assert os.WIFSTOPPED(status), finish(child)
            for child in begun:
                child.send_signal(signal.SIGCONT)
            for child in begun:
                done = finish(child, 120)
                assert done.returncode == 0, done
        finally:
            for child in begun:  # one that is still stopped would keep its user from being removed
                if child.poll() is None:
                    child.kill()
                    child.wait(20)
        yield [(user, json.loads(user.run("ps", "--json").stdout)["lab"]) for user in found]
        for user in found:
            done = user.run("down", "--all", timeout=120)
            assert done.returncode == 0, done


def identities(engine) -> set[str]:
    return {
        item.id
        for item in engine.containers.list(filters={"label": "dev.labctl.lab"}, ignore_removed=True)
        if NAME in item.name
    }


def test_all_succeed_side_by_side(engine, three):
    """One has the plain name, each other one its own behind it; and without --lab each finds the own one."""
    names = [name for _, name in three]
    assert names.count(NAME) == 1
    assert {(user.name, name) for user, name in three if name != NAME} == {
        (user.name, f"{NAME}-{user.name}") for user, name in three if name != NAME
    }
    for user, name in three:
        labs = {item["lab"]: item for item in json.loads(user.run("ls", "--json").stdout)["labs"]}
        assert labs[name]["owner"]["user"] == user.name
        assert labs[name]["topology"] == str(user.home / "lab.yaml")
        assert [item for item in names if labs[item]["mine"]] == [name]
    assert not [volume for volume in engine.volumes.list() if NAME in volume.name], "the claims are given up"


def test_up_again_changes_nothing(engine, three):
    before = identities(engine)
    done = three[0][0].run("up", "lab.yaml")
    assert done.returncode == 0, done
    for user, name in three[:2]:
        assert json.loads(user.run("plan", "lab.yaml", "--json").stdout)["lab"] == name
    assert identities(engine) == before


def test_anothers_is_neither_changed_nor_removed(engine, three):
    (owner, _), (other, own) = sorted(three, key=lambda item: item[1] != NAME)[:2]
    before = identities(engine)
    for command in (["down", NAME], ["up", "lab.yaml", "--lab", NAME], ["stop", "a", "--lab", NAME]):
        said = other.run(*command)
        assert said.returncode == 1, said
        host = os.uname().nodename
        made = f"the lab {NAME} is another one's: {owner.name}@{host}, made from {owner.home}/lab.yaml"
        assert f"labctl: {made}\n" in said.stderr
        assert command[0] != "down" or f"yours is {own} (`labctl down {own}`)" in said.stderr
    assert identities(engine) == before
    assert other.run("logs", "--lab", NAME).returncode == 0, "looking is free"


def test_a_person_is_asked_and_force_does_not_ask(engine, three):
    (_, _), (other, _) = sorted(three, key=lambda item: item[1] != NAME)[:2]
    for answer, status in (("n", 1), ("y", 0)):
        with Terminal(other.command("pause", "a", "--lab", NAME), **other.variables()) as terminal:
            terminal.wait("All the same? [y/N]")
            terminal.type(f"{answer}\n")
            assert terminal.end() == status
    assert other.run("unpause", "a", "--lab", NAME, "--force").returncode == 0


def test_taken_over_where_that_is_meant(engine, three):
    (owner, _), (other, _), (_, third) = sorted(three, key=lambda item: item[1] != NAME)
    done = other.run("up", "lab.yaml", "--lab", NAME, "--take-over")
    assert done.returncode == 0, done
    assert f"is another one's: {other.name}@" in owner.run("down", NAME).stderr
    done = other.run("down", "--all")
    assert f"{NAME} is down: removed 1 containers" in done.stderr, "it is the other one's now"
    left = done.stderr.partition("left alone, as others made them: ")[2].splitlines()[0]
    assert third in left.replace(",", " ").split()


def test_a_link_that_another_user_planted_is_not_followed(three):
    """In the folder for temporary files, where the lock of a victim without a session will stand."""
    (victim, _), (attacker, _) = three[:2]
    precious = victim.home / "precious"
    precious.write_text("precious")
    os.chown(precious, victim.uid, victim.gid)
    folder = victim.home.parent / f"tmp-{secrets.token_hex(2)}"
    folder.mkdir()
    folder.chmod(0o1777)
    planted = folder / f"labctl-{victim.uid}" / "planted"
    script = f"mkdir -p {planted} && chmod -R 777 {planted.parent} && ln -s {precious} {planted}/lab"
    assert attacker.plain("sh", "-c", script).returncode == 0
    try:
        said = victim.run("up", "lab.yaml", "--lab", "planted", TMPDIR=str(folder))
        assert said.returncode == 1, said
        assert f"{planted.parent} is another user's" in said.stderr
        assert precious.read_text() == "precious"
    finally:
        assert attacker.plain("rm", "-r", str(planted.parent)).returncode == 0
        folder.rmdir()
