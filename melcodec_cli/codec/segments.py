"""Cuts endless signals into jobs: a stretch to be coded and the context on either side that it depends on.

    audio    ...[ context | chunk 0          | context ]...
                           ...[ context | chunk 1          | context ]...

A job leaves as soon as its look-ahead is there, so a file and a live pipe take the same way. Outside the stream the
signal is silence and tokens are absent (-1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = -1


@dataclass(frozen=True)
class EncodeJob:
    """One chunk: audio (channel, context + tokens * token_samples + context) in float32."""

    audio: NDArray[np.float32]
    tokens: int


@dataclass(frozen=True)
class DecodeJob:
    """One chunk: indices (channel, context + tokens + context), globals_ (the same, count), both int64."""

    indices: NDArray[np.int64]
    globals_: NDArray[np.int64]
    first_token: int
    tokens: int


class AudioSegments:
    """Samples at the model's rate in, jobs of whole chunks out; only the last chunk may be shorter."""

    def __init__(self, channels: int, chunk_tokens: int, token_samples: int, context_samples: int):
        self._chunk_tokens = chunk_tokens
        self._token_samples = token_samples
        self._context_samples = context_samples
        self._sent_tokens = 0
        self._pieces = [
            np.zeros((channels, context_samples), np.float32)
        ]  # begin `context` before the next chunk
        self._held_samples = context_samples

    def push(self, audio: NDArray[np.float32]) -> Iterator[EncodeJob]:
        """audio (channel, sample) of any length."""
        self._pieces.append(audio)
        self._held_samples += audio.shape[1]
        chunk_samples = self._chunk_tokens * self._token_samples
        while self._held_samples >= chunk_samples + 2 * self._context_samples:
            yield self._cut(self._chunk_tokens)

    def finish(self, tokens: int) -> Iterator[EncodeJob]:
        """The chunks whose look-ahead reaches past the end of a stream of `tokens` in all, where silence begins."""
        end = self._context_samples + (tokens - self._sent_tokens) * self._token_samples
        held = np.concatenate(self._pieces, axis=1)[:, :end]
        silence = end + self._context_samples - held.shape[1]
        self._pieces = [np.pad(held, ((0, 0), (0, silence)))]
        while self._sent_tokens < tokens:
            yield self._cut(min(self._chunk_tokens, tokens - self._sent_tokens))

    def _cut(self, tokens: int) -> EncodeJob:
        samples = tokens * self._token_samples
        held = np.concatenate(self._pieces, axis=1)
        self._pieces = [held[:, samples:].copy()]  # a view would keep the whole buffer alive
        self._held_samples -= samples
        self._sent_tokens += tokens
        return EncodeJob(held[:, : samples + 2 * self._context_samples], tokens)


class TokenSegments:
    """Chunks of tokens in, the same chunks out with their context."""

    def __init__(
        self, channels: int, globals_count: int, chunk_tokens: int, context_tokens: int, first_token: int
    ):
        """The first job begins at `first_token`, a chunk's first; the first push at `first_needed_token`."""
        self._chunk_tokens = chunk_tokens
        self._context_tokens = context_tokens
        self._next_token = first_token
        self.first_needed_token = max(0, first_token - context_tokens)
        absent = context_tokens - (first_token - self.first_needed_token)
        self._indices = np.full((channels, absent), ABSENT, np.int64)
        self._globals = np.zeros((channels, absent, globals_count), np.int64)

    def push(
        self, indices: NDArray[np.integer[Any]], globals_: NDArray[np.integer[Any]]
    ) -> Iterator[DecodeJob]:
        """indices (channel, token), globals_ (channel, count) of the chunk that these tokens belong to."""
        spread = np.broadcast_to(globals_[:, None], (*indices.shape, globals_.shape[1]))
        self._indices = np.concatenate([self._indices, indices], axis=1, dtype=np.int64)
        self._globals = np.concatenate([self._globals, spread], axis=1, dtype=np.int64)
        while self._ready_tokens >= self._chunk_tokens:
            yield self._cut(self._chunk_tokens)

    def push_absent(self, tokens: int) -> Iterator[DecodeJob]:
        """Tokens that were lost."""
        channels, _, count = self._globals.shape
        yield from self.push(np.full((channels, tokens), ABSENT), np.zeros((channels, count), np.int64))

    def finish(self) -> Iterator[DecodeJob]:
        """The chunks whose look-ahead reaches past the end."""
        if self._indices.shape[1] <= self._context_tokens:  # nothing left to send
            return
        yield from self.push_absent(self._context_tokens)
        if self._ready_tokens > 0:
            yield self._cut(self._ready_tokens)

    @property
    def _ready_tokens(self) -> int:
        """Tokens not yet sent whose look-ahead is here."""
        return self._indices.shape[1] - 2 * self._context_tokens

    def _cut(self, tokens: int) -> DecodeJob:
        span = tokens + 2 * self._context_tokens
        job = DecodeJob(self._indices[:, :span], self._globals[:, :span], self._next_token, tokens)
        self._indices, self._globals = self._indices[:, tokens:], self._globals[:, tokens:]
        self._next_token += tokens
        return job
