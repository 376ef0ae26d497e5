"""Cuts endless signals into jobs: a stretch to be coded and the context on either side that it depends on.

    audio    [ chunk 0          | context ]...
             ...[ context | chunk 1          | context ]...
                              ...[ context | the last chunk ]

A job leaves as soon as its look-ahead is there, so a file and a live pipe take the same way. Where the stream begins or
ends within the context, that is all the context there is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melcodec_cli.systems.span import Span

ABSENT = -1  # in the place of a token that was lost


@dataclass(frozen=True)
class EncodeJob:
    """One chunk: audio (channel, samples of the span's tokens) in float32."""

    audio: NDArray[np.float32]
    first_token: int
    span: Span  # in tokens

    @property
    def tokens(self) -> int:
        return self.span.kept


@dataclass(frozen=True)
class DecodeJob:
    """One chunk: indices (channel, tokens of the span), globals_ (the same, count), both int64."""

    indices: NDArray[np.int64]
    globals_: NDArray[np.int64]
    first_token: int
    span: Span

    @property
    def tokens(self) -> int:
        return self.span.kept


class AudioSegments:
    """Samples at the model's rate in, jobs of whole chunks out; only the last chunk may be shorter."""

    def __init__(self, channels: int, chunk_tokens: int, token_samples: int, context_tokens: int):
        self._chunk_tokens = chunk_tokens
        self._token_samples = token_samples
        self._context_tokens = context_tokens
        self._sent_tokens = 0
        self._before_tokens = 0  # sent ones of which the audio is held
        self._pieces = [np.zeros((channels, 0), np.float32)]
        self._held_samples = 0

    def push(self, audio: NDArray[np.float32]) -> Iterator[EncodeJob]:
        """audio (channel, sample) of any length."""
        self._pieces.append(audio)
        self._held_samples += audio.shape[1]
        while True:
            span = Span(self._before_tokens, self._chunk_tokens, self._context_tokens)
            if self._held_samples < span.total * self._token_samples:
                return
            yield self._cut(span)

    def finish(self, tokens: int) -> Iterator[EncodeJob]:
        """The chunks whose look-ahead reaches to the end of a stream of `tokens` in all, the last filled with zeros."""
        end = (self._before_tokens + tokens - self._sent_tokens) * self._token_samples
        held = np.concatenate(self._pieces, axis=1)[:, :end]
        self._pieces = [np.pad(held, ((0, 0), (0, end - held.shape[1])))]
        while self._sent_tokens < tokens:
            left = tokens - self._sent_tokens
            chunk = min(self._chunk_tokens, left)
            yield self._cut(Span(self._before_tokens, chunk, min(self._context_tokens, left - chunk)))

    def _cut(self, span: Span) -> EncodeJob:
        held = np.concatenate(self._pieces, axis=1)
        job = EncodeJob(held[:, : span.total * self._token_samples], self._sent_tokens, span)
        self._sent_tokens += span.kept
        self._before_tokens = min(self._context_tokens, self._sent_tokens)
        past_samples = (span.before + span.kept - self._before_tokens) * self._token_samples
        self._pieces = [held[:, past_samples:].copy()]  # a view would keep the whole buffer alive
        self._held_samples = held.shape[1] - past_samples
        return job


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
        self._indices = np.zeros((channels, 0), np.int64)
        self._globals = np.zeros((channels, 0, globals_count), np.int64)

    def push(
        self, indices: NDArray[np.integer[Any]], globals_: NDArray[np.integer[Any]]
    ) -> Iterator[DecodeJob]:
        """indices (channel, token), globals_ (channel, count) of the chunk that these tokens belong to."""
        spread = np.broadcast_to(globals_[:, None], (*indices.shape, globals_.shape[1]))
        self._indices = np.concatenate([self._indices, indices], axis=1, dtype=np.int64)
        self._globals = np.concatenate([self._globals, spread], axis=1, dtype=np.int64)
        while self._unsent_tokens >= self._chunk_tokens + self._context_tokens:
            yield self._cut(self._chunk_tokens)

    def finish(self) -> Iterator[DecodeJob]:
        """The chunks whose look-ahead reaches to the end."""
        while self._unsent_tokens > 0:
            yield self._cut(min(self._chunk_tokens, self._unsent_tokens))

    @property
    def _before_tokens(self) -> int:
        """Held ones that were sent already, or that come before the first job."""
        return min(self._context_tokens, self._next_token)

    @property
    def _unsent_tokens(self) -> int:
        return self._indices.shape[1] - self._before_tokens

    def _cut(self, tokens: int) -> DecodeJob:
        before = self._before_tokens
        span = Span(before, tokens, min(self._context_tokens, self._unsent_tokens - tokens))
        indices, globals_ = self._indices[:, : span.total], self._globals[:, : span.total]
        job = DecodeJob(indices, globals_, self._next_token, span)
        self._next_token += tokens
        past = before + tokens - self._before_tokens
        self._indices, self._globals = self._indices[:, past:], self._globals[:, past:]
        return job
