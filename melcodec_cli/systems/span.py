"""What a row holds: a stretch to be coded, and what there is of its stream on either side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """In frames of a system, in finer ones of its own, or in samples.

    Less `before` or `after` than a stage's reach means that the stream begins or ends there.
    """

    before: int
    kept: int
    after: int
    first: int = 0  # of the kept ones, counted from the stream's beginning

    @property
    def total(self) -> int:
        return self.before + self.kept + self.after

    @property
    def kept_slice(self) -> slice:
        return slice(self.before, self.before + self.kept)

    def scaled(self, factor: int) -> Span:
        """The same stretch in units of which one makes `factor`."""
        return Span(self.before * factor, self.kept * factor, self.after * factor, self.first * factor)

    def narrowed(self, context: int) -> Span:
        """The same stretch with `context` on either side at most."""
        return Span(min(self.before, context), self.kept, min(self.after, context), self.first)
