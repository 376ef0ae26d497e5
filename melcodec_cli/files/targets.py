"""The naming rules of compress and decompress: which file becomes which. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from melcodec_cli.errors import MelcodecError, OutputOutside, UsageProblem
from melcodec_cli.files.collisions import refuse_collisions
from melcodec_cli.files.inputs import Selection, listed, named
from melcodec_cli.files.streams import READ, STDIO, WRITE, is_nameless, is_stream, plain_name, takes_output

MLC_SUFFIX = ".mlc"


@dataclass(frozen=True)
class Pair:
    """One conversion; "-" is standard input or output."""

    source: str
    target: str
    root: str | None = None  # the folder that the target must be in; it is created if needed
    problem: MelcodecError | None = None  # why there is nothing to convert

    @property
    def files(self) -> tuple[str, str]:
        return self.source, self.target

    @property
    def folder(self) -> str:
        """The target's folder."""
        return os.path.dirname(self.target) or os.curdir

    def check_inside(self) -> None:
        """Refuse a target if a link leads out of the output folder."""
        if self.root is None:
            return
        root = os.path.join(os.path.realpath(self.root), "")
        if not os.path.realpath(self.target).startswith(root):
            raise OutputOutside(f"a link leads out of {self.root}", self.target)


def is_mlc(name: str) -> bool:
    return name.lower().endswith(MLC_SUFFIX)


def compressed_name(source: str) -> str:
    """The name with .mlc added. The old suffix stays, as a.wav and a.flac may be in one folder."""
    return source + MLC_SUFFIX


def decompressed_name(source: str, suffixes: Sequence[str], default: str) -> str:
    """The name without .mlc, and with `default` added unless it ends in one of `suffixes`."""
    name = source[: -len(MLC_SUFFIX)] if is_mlc(source) else source
    return name if os.path.splitext(name)[1].lower() in suffixes else name + default


def split_output(
    names: Sequence[str], output: str | None, is_output: Callable[[str], bool]
) -> tuple[Sequence[str], str | None]:
    """Split names into inputs and output: of exactly two names, the second may be the output.

    It is the output if it is "-", a pipe or device that can be written, or `is_output` says so.
    """
    if output is None and len(names) == 2:
        second = names[1]
        if second == STDIO or (takes_output(second) if is_stream(second) else is_output(second)):
            return names[:1], second
    return names, output


def pair_up(
    sources: Sequence[str],
    output: str | None,
    derive: Callable[[str], str],
    selection: Selection | None = None,
    from_list: Sequence[str] | None = None,
    dry_run: bool = False,
) -> list[Pair]:
    """Make a pair for every input, named or from a list. A dry run writes nothing."""
    selection = selection or Selection()
    sources = [plain_name(source, READ) for source in sources]
    output = output and plain_name(output, WRITE)
    has_folder = any(source != STDIO and os.path.isdir(source) for source in sources)
    many = len(sources) > 1 or from_list is not None or has_folder
    if output == STDIO and many:
        raise UsageProblem("standard output can take the result of only one input")
    into_folder = (
        output is not None
        and output != STDIO
        and (many or output.endswith(("/", os.sep)) or os.path.isdir(output))
    )
    pairs = []
    for found in (*named(sources, selection), *listed(from_list or (), selection)):
        if found.problem:
            pairs.append(Pair(found.path, "", problem=found.problem))
        elif output is None and found.path == STDIO:
            pairs.append(Pair(STDIO, STDIO))
        elif output is None and is_stream(found.path):
            # A pipe's output goes to standard output: it cannot lie beside a device or descriptor.
            problem = UsageProblem(
                "is not a regular file, so the output needs a name; give one with -o", found.path
            )
            pairs.append(Pair(found.path, STDIO, problem=problem if many else None))
        elif into_folder:
            if is_nameless(found.path):
                what = "standard input" if found.path == STDIO else found.path
                raise UsageProblem(f"{what} has no name to derive the output's from; name the output file")
            pairs.append(Pair(found.path, os.path.join(output or "", derive(found.name)), root=output))
        elif many:  # beside the input, and only there
            root = os.path.dirname(found.path) or os.curdir
            pairs.append(Pair(found.path, derive(found.path), root=root))
        else:
            pairs.append(Pair(found.path, output or derive(found.path)))
    refuse_collisions((pair.files for pair in pairs if not pair.problem), may_write=not dry_run)
    return pairs
