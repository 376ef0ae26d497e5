"""What a row holds: a stretch to be coded, and its context on either side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A stretch and its context, counted in frames of the system, in finer frames of its own, or in samples.

    If `before` or `after` is less than a stage's reach, the stream begins or ends there.
    """

    before: int
    kept: int
    after: int
    first: int = 0  # number of the first kept one, counted from the start of the stream

    @property
    def total(self) -> int:
        return self.before + self.kept + self.after

    @property
    def kept_slice(self) -> slice:
        return slice(self.before, self.before + self.kept)

    def scaled(self, factor: int) -> Span:
        """The same stretch in units that are `factor` times smaller."""
        return Span(self.before * factor, self.kept * factor, self.after * factor, self.first * factor)

    def pieces(self, length: int, before: int, after: int) -> list[Span]:
        """All of it, context included, in pieces of at most this length with this much context, or less at its ends."""
        begin = self.first - self.before
        return [
            Span(
                min(done, before),
                min(length, self.total - done),
                max(0, min(after, self.total - done - length)),
                begin + done,
            )
            for done in range(0, self.total, length)
        ]

    def within(self, other: Span) -> slice:
        """Where it lies, context included, in what holds the other one."""
        begin = self.first - self.before - (other.first - other.before)
        return slice(begin, begin + self.total)

    def narrowed(self, context: int) -> Span:
        """The same stretch with at most `context` on either side."""
        return Span(min(self.before, context), self.kept, min(self.after, context), self.first)
