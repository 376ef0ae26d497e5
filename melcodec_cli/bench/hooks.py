"""Watches the modules of a system while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn


@contextmanager
def hooked(
    modules: Mapping[str, nn.Module], before: Callable[[str], None], after: Callable[[str], None]
) -> Iterator[None]:
    """Call these before and after every module; work that a module passes to others counts as its own."""
    running: list[str] = []

    def begin(name: str) -> None:
        running.append(name)
        if len(running) == 1:
            before(name)

    def end() -> None:
        name = running.pop()
        if not running:
            after(name)

    handles = []
    for name, module in modules.items():
        handles.append(module.register_forward_pre_hook(lambda module, inputs, name=name: begin(name)))
        handles.append(module.register_forward_hook(lambda module, inputs, output: end()))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
