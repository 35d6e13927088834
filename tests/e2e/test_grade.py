"""`labctl grade`: programs that are right, and programs that are wrong in one known way each (tests/programs).

The first line of each says what it has to come to: `passes`, or the first check that it `fails`. Servers that others
wrote stand in a table here, with all that they fail. `make grades` takes all of them, `make test` a share.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest
from outside import ROOT, run, run_command
from sampling import seed, share

PROGRAMS = ROOT / "tests" / "programs"
SOURCES = sorted(path for path in PROGRAMS.glob("*/*.*") if path.suffix in (".py", ".c", ".js"))
NODE = [path for path in SOURCES if path.suffix == ".js"]
PLAIN = [path for path in SOURCES if path not in NODE]
SERVERS = "labctl/test-servers"
# Servers that others wrote: what they are, how they are run, and each check that they must fail and may.
OTHERS = {
    "xinetd": ("echo", "xinetd -dontfork -f xinetd.conf -pidfile /tmp/pid -filelog /tmp/log", [], []),
    "socat": ("echo", "socat TCP-LISTEN:9000,reuseaddr,fork EXEC:cat", [], []),
    # It takes the end of the client's half for that of the connection, and what is still to come back is lost. Where
    # cat is slow, each of the two waits until the other reads (`big`).
    "ncat": ("echo", "ncat --listen --keep-open --exec /bin/cat 9000", ["half-close"], ["big"]),
    # To it no bytes are the end of a file; and it reads 8192 at once.
    "socat-udp": ("udp", "socat UDP-RECVFROM:9000,fork EXEC:cat", ["empty", "longest"], []),
    "nginx": ("http", "nginx -c /program/nginx.conf -e stderr", [], []),
    # What is no request it takes for one of HTTP/0.9, and answers without a status line (RFC 9112, appendix C.1).
    "http.server": ("http", "python3 -m http.server 8000", ["bad-request"], []),
}


@pytest.fixture
def folder(tmp_path):
    """One that a host may read, which is another user."""
    tmp_path.chmod(0o755)
    return tmp_path


def wanted_of(source: Path) -> str:
    return source.read_text().splitlines()[0].lstrip("#/ ")


@pytest.fixture(scope="session")
def compiler(debian):
    """`compiler(source, folder)` makes the static program `program` of a file in C, in a container of Debian's gcc."""
    image = "labctl/test-compiler"

    def compile_(source: Path, folder: Path) -> None:
        command = ["docker", "build", "--quiet", "--target", "compiler", "--tag", image]
        built = run_command([*command, "--build-arg", f"DEBIAN={debian}", str(ROOT / "tests" / "clients")], timeout=800)
        assert built.returncode == 0, built
        mounts = ["--volume", f"{source.parent}:/source:ro", "--volume", f"{folder}:/made"]
        gcc = ["gcc", "-static", "-O1", "-o", "/made/program", f"/source/{source.name}"]
        done = run_command(["docker", "run", "--rm", "--network=none", *mounts, image, *gcc], timeout=120)
        assert done.returncode == 0, done

    return compile_


@pytest.fixture(scope="session")
def servers(debian):
    """The image with the servers that others wrote, and node."""
    command = ["docker", "build", "--quiet", "--target", "servers", "--tag", SERVERS, "--build-arg", f"DEBIAN={debian}"]
    built = run_command([*command, str(ROOT / "tests" / "clients")], timeout=800)
    assert built.returncode == 0, built
    return SERVERS


def prepared(source: Path, folder: Path) -> list[str]:
    """The command that runs a program in Python, which is put into the folder."""
    shutil.copy(source, folder / "program.py")
    return ["python3", "program.py"]


def graded(subject: str, folder: Path, command: list[str], *options: str):
    return run("grade", subject, "--folder", str(folder), *options, "--", *command, timeout=280)


def document_of(got):
    assert got.stdout.startswith("{"), got  # else it says why there is no grade
    return json.loads(got.stdout)


@pytest.mark.parametrize(
    "source",
    share(PLAIN, 24, seed()) + share(NODE, len(NODE), seed()),
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_each_program_gets_the_verdict_that_it_deserves(source, folder, request):
    options = []
    if source.suffix == ".c":
        request.getfixturevalue("compiler")(source, folder)
        command = ["./program"]
    elif source.suffix == ".js":
        shutil.copy(source, folder / "program.js")
        command, options = ["node", "program.js"], ["--image", request.getfixturevalue("servers")]
    else:
        command = prepared(source, folder)
    got = graded(source.parent.name, folder, command, "--json", *options)
    found = document_of(got)
    wrong = [one["name"] for one in found["checks"] if one["verdict"] in ("failed", "error")]
    wanted = wanted_of(source)
    if wanted == "passes":
        assert (wrong, got.returncode) == ([], 0), found
        assert found["score"] == found["max_score"]
    else:
        assert wrong[:1] == [wanted.removeprefix("fails: ")], found
        assert got.returncode == 1


@pytest.mark.parametrize("name", share(sorted(OTHERS), len(OTHERS), seed()))
def test_what_others_wrote_gets_the_verdict_that_it_deserves(name, folder, servers):
    subject, command, must, may = OTHERS[name]
    for file in (PROGRAMS / "others").iterdir():
        shutil.copy(file, folder)
    image = [] if command.startswith("python3") else ["--image", servers]
    found = document_of(graded(subject, folder, command.split(), "--json", *image))
    verdicts = {one["name"]: one["verdict"] for one in found["checks"]}
    wrong = [check for check, verdict in verdicts.items() if verdict != "passed"]
    assert [check for check in wrong if check not in may] == must, found


def test_every_program_says_what_it_must_come_to():
    from labctl.grade.subjects import SUBJECTS

    wrong = [source for source in SOURCES if wanted_of(source) != "passes"]
    assert len(wrong) >= 30
    assert len([source for source in wrong if source.suffix == ".js"]) >= 5
    for source in wrong:
        assert SUBJECTS[source.parent.name].check(wanted_of(source).removeprefix("fails: ")), source
    assert {source.parent.name for source in SOURCES if wanted_of(source) == "passes"} == set(SUBJECTS)
    assert {subject for subject, *_ in OTHERS.values()} <= set(SUBJECTS)


@pytest.mark.turn(3)
def test_failure_says_all_and_can_be_repeated(folder):
    command = prepared(PROGRAMS / "echo" / "upper.py", folder)
    got = graded("echo", folder, command, "--seed", "s1", "--only", "answers")
    assert got.returncode == 1
    lines = got.stdout.splitlines()
    assert lines[0].startswith("pass  listens")
    assert lines[1].startswith("FAIL  answers")
    assert "      wanted  " in got.stdout
    assert "^ byte " in got.stdout
    assert "      help    each line has to come back as it was" in got.stdout
    assert "PSH, ACK" in got.stdout  # the ladder
    again = f"labctl grade echo --only answers --seed s1 --folder={folder} -- python3 program.py"
    assert f"      again   {again}" in got.stdout
    assert lines[-1].startswith("1 of 3 points: 1 passed, 1 failed (seed s1")
    words = [line for line in lines if "wanted" in line]
    repeated = graded("echo", folder, command, "--seed", "s1", "--only", "answers").stdout.splitlines()
    assert [line for line in repeated if "wanted" in line] == words


@pytest.mark.turn(3)
def test_a_program_cannot_forge_or_write_escapes(folder):
    (folder / "program.py").write_text(
        "import socket, time\n"
        "print('\\x1b]0;pwned\\x07{\"passed\": true}', flush=True)\n"
        "listener = socket.create_server(('', 9000))\n"
        "while True:\n"
        "    connection, _ = listener.accept()\n"
        "    connection.sendall(b'\\x1b[2J{\"passed\": true}\\n')\n"
        "    connection.close()\n"
    )
    out = folder / "out" / "results.json"
    got = graded("echo", folder, ["python3", "program.py"], "--report", "gradescope", "--out", str(out))
    assert got.returncode == 0, got  # it ran
    found = json.loads(out.read_text())
    assert found["score"] == 1
    assert [test.get("status") for test in found["tests"]][:3] == ["passed", "failed", None]
    assert "\x1b" not in out.read_text().encode().decode("unicode_escape", "ignore")


@pytest.mark.turn(3)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit(3)", "ended with exit status 3"),
        ("pass", "it has ended by itself, with status 0"),
        ("import signal; signal.pause()", "it listens nowhere"),
    ],
)
def test_a_program_that_does_not_serve(folder, text, said):
    (folder / "program.py").write_text(text)
    got = graded("echo", folder, ["python3", "program.py"], "--only", "many")
    assert got.returncode == 1
    assert said in got.stdout
    assert "skip  many" in got.stdout
    assert "why     it needs silent" in got.stdout


SPEC = """\
name: greeter
port: 7000
checks:
  - name: greets
    points: 2
    steps:
      - connect: a
      - expect: "HELLO\\r\\n"
  - name: name
    needs: [greets]
    steps:
      - fault: {drop: tcp data 1}
      - connect: a
      - expect: {regex: "HEL+O"}
      - send: "ana\\r\\n"
      - expect: "Hi, ana\\r\\n"
      - half-close: a
      - expect: {end: true}
      - wire: |
          *
          checker > program  P. "ana\\r\\n"  lost
          checker > program  P. "ana\\r\\n"  retransmission
          *
  - name: heard
    needs: [greets]
    steps:
      - fault: {drop: tcp data 1, link: program:checker}
      - connect: a
      - expect: "HELLO\\r\\n"
      - wire: |
          *
          program > checker  P. "HELLO\\r\\n"  lost
          program > checker  P. "HELLO\\r\\n"  retransmission
          *
  - name: polite
    points: 0
    steps:
      - connect: a
      - expect: "GOOD DAY\\r\\n"
"""
GREETER = """\
import socketserver
class Greeter(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"HELLO\\r\\n")
        for line in self.rfile:
            self.wfile.write(b"Hi, " + line)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", 7000), Greeter).serve_forever()
"""


@pytest.mark.turn(3)
def test_somebodys_own_protocol(folder):
    (folder / "greeter.py").write_text(GREETER)
    spec = folder / "greeter.yaml"
    spec.write_text(SPEC)
    got = graded(str(spec), folder, ["python3", "greeter.py"], "--json")
    found = {one["name"]: one for one in json.loads(got.stdout)["checks"]}
    assert [one["verdict"] for one in found.values()] == ["passed", "passed", "passed", "passed", "failed"], found
    assert found["polite"]["expected"] == '"GOOD DAY\\r\\n"'
    assert "step 2 (expect)" in found["polite"]["help"]
    assert json.loads(got.stdout)["score"] == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ecko"], "there is nothing to grade that is called ecko; did you mean echo?"),
        (["none.yaml"], "none.yaml can't be read: No such file"),
        (["echo", "--only", "splitt"], "echo has no check splitt; did you mean split"),
    ],
)
def test_bad_use(arguments, said, folder):
    got = run("grade", *arguments, "--folder", str(folder), "--", "python3", "x.py")
    assert got.returncode == 1
    assert said in got.stderr


@pytest.mark.turn(3)
def test_a_class(folder, engine):
    before = {one.id for one in engine.containers.list(all=True, ignore_removed=True)}
    names = {"ana": "right_threads.py", "=bob": "upper.py", "eve": "localhost.py"}
    for name, source in names.items():
        (folder / "all" / name).mkdir(parents=True)
        shutil.copy(PROGRAMS / "echo" / source, folder / "all" / name / "server.py")
    (folder / "all" / "nobody").mkdir()
    table, page = folder / "marks.csv", folder / "marks.html"
    options = ("--csv", str(table), "--html", str(page))
    got = run("grade-all", str(folder / "all"), "echo", *options, "--", "python3", "server.py", timeout=280)
    assert got.returncode == 0, got
    lines = {line.split()[0]: line for line in got.stdout.splitlines()}
    assert "20/20" in lines["ana"]
    assert lines["=bob"].split()[2].startswith("answers")
    assert lines["eve"].split() == ["eve", "0/20", "listens"]
    assert "can't open file" in lines["nobody"] or "listens" in lines["nobody"]
    rows = list(csv.DictReader(table.open()))
    assert [row["submission"] for row in rows] == ["'=bob", "ana", "eve", "nobody"]
    assert rows[1]["score"] == rows[1]["max_score"] == "20"
    assert "<details><summary>ana</summary>" in page.read_text()
    mine = [
        one
        for one in engine.containers.list(all=True, ignore_removed=True)
        if one.id not in before and str(folder) in str(one.attrs)
    ]
    assert mine == []
