"""Commands whose last argument is a whole command line, of which nothing is labctl's own."""

from __future__ import annotations

import click
from typer.core import TyperCommand


class Passing(TyperCommand):
    """Options up to the first word of the command are labctl's, from there on they are the command's, as OpenSSH has
    it: `labctl exec alice ls -l`. A `--` may stand before that word."""

    own = 0  # arguments before it

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._parted(ctx, list(args)))

    def _parted(self, ctx: click.Context, args: list[str]) -> list[str]:
        valued = {word for param in self.get_params(ctx) if _takes_value(param) for word in param.opts}
        index, words = 0, 0
        while index < len(args):
            word = args[index]
            if word == "--":
                # Before the node, too: `labctl exec -- alice ls`.
                at = index + 1 + (self.own - words)
                return args if words == self.own else [*args[:index], *args[index + 1 : at], "--", *args[at:]]
            if word.startswith("-") and word != "-":
                index += 2 if word in valued else 1
                continue
            if words == self.own:
                return [*args[:index], "--", *args[index:]]
            words, index = words + 1, index + 1
        return args


class InNode(Passing):
    """The node comes first."""

    own = 1


class InTwo(Passing):
    """A folder and what it is about come first."""

    own = 2


def _takes_value(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and not param.is_flag and not param.count
