"""Expressions over the evidence: a small part of Python's, read and worked out here, and never by `eval`.

What isn't there is None, and asking on goes on with None: the seventh of three packets, a field of None, a sum with
None. A comparison with < or > that has None in it is false. So an expression over what has not happened yet is false,
and no error.
"""

from __future__ import annotations

import ast
import operator
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from labctl.errors import brief, nearest
from labctl.lesson.seen.rows import Row
from labctl.lesson.written.problems import Wrong

LENGTH_LIMIT = 2000  # characters
DEPTH_LIMIT = 64  # levels, as of values in YAML: Python's own recursion, which follows them, ends at some hundreds
SIZE_LIMIT = 1 << 20  # of a text or a list that a sum makes
BITS_LIMIT = 4096  # of a number: more than any that is seen, and evidence multiplied by itself has no end
STEP_LIMIT = 200_000  # nodes that are worked out: more is a mistake, or a joke

# Where evidence comes from: each a function of nodes' names and fields (labctl/lesson/evidence.py).
SOURCES = ("events", "packets", "calls", "sockets", "counters", "node", "before")
OUTPUTS = ("outputs", "output")


def _first(values: Sequence[Any]) -> Any:
    return values[0] if values else None


def _last(values: Sequence[Any]) -> Any:
    return values[-1] if values else None


def _present(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _word(text: str, place: int) -> Any:
    """A word of a text, counted from 0; a number where it is one."""
    words = str(text).split()
    if not -len(words) <= place < len(words):
        return None
    try:
        return float(words[place]) if "." in words[place] else int(words[place])
    except ValueError:
        return words[place]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "word": _word,
    "len": len,
    "count": len,
    "first": _first,
    "last": _last,
    "sum": lambda values: sum(_present(values)),
    "min": lambda *values: min(_present(values[0] if len(values) == 1 else values), default=None),
    "max": lambda *values: max(_present(values[0] if len(values) == 1 else values), default=None),
    "any": any,
    "all": all,
    "abs": abs,
    "round": round,
    "sorted": sorted,
    "set": lambda values: frozenset(values),
    "str": str,
    "int": int,
    "bytes": lambda text: len(str(text).encode()),
}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_ORDER: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SAME: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
}
_ALLOWED = (
    ast.Constant, ast.Name, ast.Load, ast.Store, ast.List, ast.Tuple, ast.Compare, ast.BoolOp, ast.And, ast.Or,
    ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Subscript, ast.Slice, ast.Attribute, ast.IfExp, ast.ListComp,
    ast.GeneratorExp, ast.comprehension, ast.Call, ast.keyword, ast.In, ast.NotIn, *_BINARY, *_ORDER, *_SAME,
)  # fmt: skip
_TOO_DEEP = f"an expression is nested at most {DEPTH_LIMIT} levels deep; evidence can have parts of it"


def parse(text: str, names: Iterable[str]) -> ast.expr:
    """Raises Wrong: no expression, something that is not allowed, or a name that is none of `names` and no source."""
    if len(text) > LENGTH_LIMIT:
        raise Wrong(f"an expression has at most {LENGTH_LIMIT} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as problem:
        offset = getattr(problem, "offset", None) or 1
        raise Wrong(f"this is no expression: {getattr(problem, 'msg', problem)}", offset - 1) from None
    except (RecursionError, MemoryError):  # as Python's own parser tells it
        raise Wrong(_TOO_DEEP) from None
    _refuse_deep(tree)
    _Reader({*names, *OUTPUTS, "True", "False", "None"}).read(tree)
    return tree


def _refuse_deep(tree: ast.expr) -> None:
    """Level by level, since what follows a tree by recursion can't follow all that Python's parser takes."""
    level: list[ast.AST] = [tree]
    for _ in range(DEPTH_LIMIT):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise Wrong(_TOO_DEEP)


class _Reader:
    """Looks whether all of an expression is allowed and known."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def read(self, node: ast.AST) -> None:
        if not isinstance(node, _ALLOWED):
            what = type(node).__name__.lower()
            raise Wrong(f"{what} can't stand in an expression of a lesson", getattr(node, "col_offset", 0))
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            self._comprehension(node)
            return
        if isinstance(node, ast.Call):
            self._call(node)
            return
        if isinstance(node, ast.Name) and node.id not in self._names:
            raise Wrong(
                f"there is no {brief(node.id)}{nearest(node.id, self._names | {*SOURCES, *FUNCTIONS})}", node.col_offset
            )
        for child in ast.iter_child_nodes(node):
            self.read(child)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> None:
        inner = _Reader(set(self._names))
        for part in node.generators:
            if not isinstance(part.target, ast.Name):
                raise Wrong("a comprehension has one name after `for`", node.col_offset)
            inner.read(part.iter)
            inner._names.add(part.target.id)
            for condition in part.ifs:
                inner.read(condition)
        inner.read(node.elt)

    def _call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS and name not in SOURCES:
            known = nearest(name, {*SOURCES, *FUNCTIONS})
            raise Wrong(f"there is no function {brief(name or ast.unparse(node.func))}{known}", node.col_offset)
        if name in SOURCES:
            names_of(node)
        elif node.keywords:
            raise Wrong(f"{name} takes no named values", node.col_offset)
        for argument in node.args:
            self.read(argument)
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Wrong("** can't stand in an expression of a lesson", node.col_offset)
            self.read(keyword.value)


def names_of(call: ast.Call) -> list[str]:
    """The nodes that a source is asked about: texts, so that a reader knows what must be recorded. Raises Wrong."""
    for argument in call.args:
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            raise Wrong(f"{ast.unparse(call.func)} takes names in quotes", argument.col_offset)
    found = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    name = ast.unparse(call.func)
    wanted = {"packets": 2, "sockets": 1, "counters": 1, "node": 1, "before": 1}.get(name)
    if wanted is not None and len(found) != wanted:
        raise Wrong(f"{name} takes {wanted} name{'s' if wanted > 1 else ''}", call.col_offset)
    return [str(one) for one in found]


def asked_of(tree: ast.expr) -> list[tuple[str, list[str], int]]:
    """Each source that an expression asks, the names it asks about, and where in the expression."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        (call.func.id, names_of(call), call.col_offset)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in SOURCES
    ]


class Evaluation:
    """Works expressions out. `values` are names, `sources` what the sources are."""

    def __init__(self, values: Mapping[str, Any], sources: Mapping[str, Callable[..., Any]]) -> None:
        self._values = values
        self._sources = sources
        self._steps = 0

    def value(self, node: ast.expr) -> Any:
        """Raises Wrong where a field or a value isn't what is asked of it, and whatever a source raises."""
        self._steps += 1
        if self._steps > STEP_LIMIT:
            raise Wrong("this would take too long")
        method: Callable[[Any], Any] = getattr(self, f"_{type(node).__name__.lower()}")
        try:
            return method(node)
        except (TypeError, ValueError, ArithmeticError, KeyError) as problem:
            why = problem.args[0] if isinstance(problem, KeyError) else problem
            raise Wrong(str(why), getattr(node, "col_offset", 0)) from None

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        return self._values[node.id]

    def _list(self, node: ast.List) -> Any:
        return [self.value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> Any:
        return self._list(ast.List(elts=node.elts))

    def _boolop(self, node: ast.BoolOp) -> Any:
        wanted = isinstance(node.op, ast.Or)
        found = None
        for part in node.values:
            found = self.value(part)
            if bool(found) is wanted:
                return found
        return found

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        found = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not found
        return None if found is None else -found

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult) and not (_is_number(left) and _is_number(right)):
            raise Wrong("only numbers can be multiplied", node.col_offset)
        if isinstance(node.op, ast.Mod) and not _is_number(left):  # Python would fill in a text, to any width
            raise Wrong("only numbers have a remainder", node.col_offset)
        found = _BINARY[type(node.op)](left, right)
        if _is_large(found):
            raise Wrong("what comes out is too large", node.col_offset)
        return found

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for how, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part)
            if not _compared(how, left, right):
                return False
            left = right
        return True

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        found = self.value(node.value)
        if found is None:
            return None
        if isinstance(node.slice, ast.Slice):
            ends = [None if end is None else self.value(end) for end in (node.slice.lower, node.slice.upper)]
            return found[ends[0] : ends[1]]
        place = self.value(node.slice)
        if isinstance(found, Mapping):
            return found.get(place)
        try:
            return found[place]
        except IndexError:
            return None

    def _attribute(self, node: ast.Attribute) -> Any:
        found = self.value(node.value)
        if found is None:
            return None
        if isinstance(found, Row):
            return found.get(node.attr)
        if isinstance(found, Mapping):
            return found.get(node.attr)
        raise Wrong(f"{_kind(found)} has no fields, such as .{node.attr}", node.col_offset)

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        out: list[Any] = []
        self._each(node, 0, out)
        return out

    _generatorexp = _listcomp

    def _each(self, node: ast.ListComp | ast.GeneratorExp, depth: int, out: list[Any]) -> None:
        if depth == len(node.generators):
            out.append(self.value(node.elt))
            return
        part = node.generators[depth]
        assert isinstance(part.target, ast.Name)
        for item in self.value(part.iter) or ():
            before, self._values = self._values, ChainMap({part.target.id: item}, cast(Any, self._values))
            if all(self.value(condition) for condition in part.ifs):
                self._each(node, depth + 1, out)
            self._values = before

    def _call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        values = [self.value(argument) for argument in node.args]
        if node.func.id in SOURCES:
            named = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
            return self._sources[node.func.id](*values, **named)
        if values and values[0] is None and node.func.id != "str":
            return 0 if node.func.id in ("len", "count", "sum") else None
        return FUNCTIONS[node.func.id](*values)


def _compared(how: ast.cmpop, left: Any, right: Any) -> bool:
    if type(how) in _SAME:
        return _SAME[type(how)](_plain(left), _plain(right))
    if isinstance(how, ast.In | ast.NotIn):
        found = right is not None and left is not None and left in right
        return found is isinstance(how, ast.In)
    return left is not None and right is not None and _ORDER[type(how)](left, right)


def _plain(value: Any) -> Any:
    """Lists and tuples are alike: an address is `["10.77.0.5", 12345]`, whoever wrote it."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_large(value: Any) -> bool:
    if isinstance(value, str | list | tuple):
        return len(value) > SIZE_LIMIT
    return isinstance(value, int) and value.bit_length() > BITS_LIMIT


def _kind(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "a list"
    return "a text" if isinstance(value, str) else "a number" if _is_number(value) else f"a {type(value).__name__}"
