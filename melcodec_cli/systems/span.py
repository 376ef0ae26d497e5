"""What a row holds: a stretch to be coded, and what there is of its stream on either side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """In tokens, frames or samples.  Fewer `before` or `after` than a stage's context means that the stream begins or
    ends there."""

    before: int
    kept: int
    after: int

    @property
    def total(self) -> int:
        return self.before + self.kept + self.after

    @property
    def kept_slice(self) -> slice:
        return slice(self.before, self.before + self.kept)

    def scaled(self, factor: int) -> Span:
        """The same in units of which one makes `factor`."""
        return Span(self.before * factor, self.kept * factor, self.after * factor)

    def narrowed(self, context: int) -> Span:
        return Span(min(self.before, context), self.kept, min(self.after, context))
