"""labctl: a socket lab, as a command and as a library (docs/api.md).

The public names are imported when they are first used: `import labctl` alone costs nothing.
"""

import sys

__version__ = "0.1.0"

if sys.argv and sys.argv[0].endswith(("/labctl", "\\labctl", "/wirelab", "/labctl/__main__.py")):
    # This is labctl, and no program that uses it. Until there is something to take back, ^C just ends it: importing the
    # rest takes longer than fingers do. By the module in C: the other one has its own imports.
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all of this
if TYPE_CHECKING:
    from labctl.api.hosts import add_host, check_hosts, hosts, join_hosts, leave_hosts, remove_host
    from labctl.api.lab import Lab
    from labctl.api.labs import empty, find, labs, up
    from labctl.api.link import Link, Rule
    from labctl.api.node import Node
    from labctl.api.programs import Program
    from labctl.api.results.captured import Captured
    from labctl.api.results.drawn import Ladder
    from labctl.api.results.executed import Executed
    from labctl.api.results.graph import Graph
    from labctl.api.results.reached import Ping, Resolution, Route, Speed
    from labctl.api.saved.replaying import replay
    from labctl.api.saved.run import SavedRun, open_run
    from labctl.api.topologies import build, doctor, graph, plan, validate
    from labctl.api.trace import Trace
    from labctl.api.wire import Fits, Wire
    from labctl.cancel import Cancel
    from labctl.engine.docker import DockerEngine
    from labctl.engine.hosts.host import Host
    from labctl.engine.memory import MemoryEngine
    from labctl.engine.model import Engine
    from labctl.errors import (
        BadFilter,
        Cancelled,
        CaptureError,
        CommandLeft,
        ComposeFailed,
        EngineError,
        EngineRefused,
        EngineTimeout,
        EngineUnreachable,
        FaultError,
        FaultRefused,
        FileError,
        ForeignLab,
        InvalidArgument,
        LabError,
        LabNotFound,
        LabTimeout,
        LessonError,
        LessonInvalid,
        LineError,
        LineRefused,
        MachineKeptOut,
        NoAnswer,
        NodeError,
        NodeFailed,
        NodeNotFound,
        NodeStopped,
        NoPartner,
        NotConfirmed,
        NotRecorded,
        NotRunning,
        NotTaken,
        PatternDiffers,
        ProbeError,
        ProgramNotFound,
        ReachError,
        RunError,
        TopologyError,
        TopologyInvalid,
        Unresolved,
    )
    from labctl.events.model import Event
    from labctl.lab.faults.rules import Fault
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.keyboard.send import Sent
    from labctl.lab.life.down import Removed
    from labctl.lab.life.several import Outcome
    from labctl.lab.life.status import Status
    from labctl.lab.life.waiting import Answered, Waited
    from labctl.lab.processes.sockets import Socket
    from labctl.lab.reach.datagram import Datagram
    from labctl.lab.roles.chat_log import Said
    from labctl.lab.roles.http import Exchange
    from labctl.lab.roles.udp import Train

__all__ = [
    "Answered",
    "BadFilter",
    "Cancel",
    "Cancelled",
    "CaptureError",
    "Captured",
    "CommandLeft",
    "ComposeFailed",
    "Datagram",
    "Delivery",
    "DockerEngine",
    "Engine",
    "EngineError",
    "EngineRefused",
    "EngineTimeout",
    "EngineUnreachable",
    "Event",
    "Exchange",
    "Executed",
    "Fault",
    "FaultError",
    "FaultRefused",
    "FileError",
    "Fits",
    "ForeignLab",
    "Graph",
    "Host",
    "InvalidArgument",
    "Lab",
    "LabError",
    "LabNotFound",
    "LabTimeout",
    "Ladder",
    "LessonError",
    "LessonInvalid",
    "LineError",
    "LineRefused",
    "Link",
    "MachineKeptOut",
    "MemoryEngine",
    "NoAnswer",
    "NoPartner",
    "Node",
    "NodeError",
    "NodeFailed",
    "NodeNotFound",
    "NodeStopped",
    "NotConfirmed",
    "NotRecorded",
    "NotRunning",
    "NotTaken",
    "Outcome",
    "PatternDiffers",
    "Ping",
    "ProbeError",
    "Program",
    "ProgramNotFound",
    "ReachError",
    "Removed",
    "Resolution",
    "Route",
    "Rule",
    "RunError",
    "Said",
    "SavedRun",
    "Sent",
    "Socket",
    "Speed",
    "Status",
    "TopologyError",
    "TopologyInvalid",
    "Trace",
    "Train",
    "Unresolved",
    "Waited",
    "Wire",
    "add_host",
    "build",
    "check_hosts",
    "doctor",
    "empty",
    "find",
    "graph",
    "hosts",
    "join_hosts",
    "labs",
    "leave_hosts",
    "open_run",
    "plan",
    "remove_host",
    "replay",
    "up",
    "validate",
]

# The modules that hold them; those that aren't here are errors.
_PLACES = {
    "build": "labctl.api.topologies",
    "graph": "labctl.api.topologies",
    "Graph": "labctl.api.results.graph",
    "doctor": "labctl.api.topologies",
    "plan": "labctl.api.topologies",
    "validate": "labctl.api.topologies",
    "add_host": "labctl.api.hosts",
    "check_hosts": "labctl.api.hosts",
    "hosts": "labctl.api.hosts",
    "join_hosts": "labctl.api.hosts",
    "leave_hosts": "labctl.api.hosts",
    "remove_host": "labctl.api.hosts",
    "Host": "labctl.engine.hosts.host",
    "Train": "labctl.lab.roles.udp",
    "Exchange": "labctl.lab.roles.http",
    "Trace": "labctl.api.trace",
    "Fits": "labctl.api.wire",
    "Wire": "labctl.api.wire",
    "Captured": "labctl.api.results.captured",
    "Ping": "labctl.api.results.reached",
    "Route": "labctl.api.results.reached",
    "Speed": "labctl.api.results.reached",
    "Link": "labctl.api.link",
    "Rule": "labctl.api.link",
    "Ladder": "labctl.api.results.drawn",
    "Lab": "labctl.api.lab",
    "empty": "labctl.api.labs",
    "find": "labctl.api.labs",
    "labs": "labctl.api.labs",
    "up": "labctl.api.labs",
    "Node": "labctl.api.node",
    "SavedRun": "labctl.api.saved.run",
    "open_run": "labctl.api.saved.run",
    "replay": "labctl.api.saved.replaying",
    "Program": "labctl.api.programs",
    "Executed": "labctl.api.results.executed",
    "Resolution": "labctl.api.results.reached",
    "Fault": "labctl.lab.faults.rules",
    "Socket": "labctl.lab.processes.sockets",
    "Cancel": "labctl.cancel",
    "DockerEngine": "labctl.engine.docker",
    "MemoryEngine": "labctl.engine.memory",
    "Engine": "labctl.engine.model",
    "Event": "labctl.events.model",
    "Said": "labctl.lab.roles.chat_log",
    "Datagram": "labctl.lab.reach.datagram",
    "Delivery": "labctl.lab.keyboard.delivery",
    "Sent": "labctl.lab.keyboard.send",
    "Removed": "labctl.lab.life.down",
    "Status": "labctl.lab.life.status",
    "Answered": "labctl.lab.life.waiting",
    "Outcome": "labctl.lab.life.several",
    "Waited": "labctl.lab.life.waiting",
}


def __getattr__(name: str) -> object:
    """PEP 562."""
    if name not in __all__:
        raise AttributeError(f"module 'labctl' has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_PLACES.get(name, "labctl.errors")), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
