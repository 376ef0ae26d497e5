"""One recording to one stream of an .mlc file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import mlcfile

from melcodec_cli.audio import AudioSource, Resampler, mix_down
from melcodec_cli.codec.pipeline import Stream
from melcodec_cli.codec.rows import Codes, Encoder
from melcodec_cli.codec.segments import AudioSegments, EncodeJob
from melcodec_cli.errors import AudioUnreadable, UsageProblem

if TYPE_CHECKING:
    from melcodec_cli.systems.fmel.chain import Chain
    from melcodec_cli.systems.fmel.config import Profile

MIN_CHUNK_S, MAX_CHUNK_S = 0.5, 60.0


@dataclass(frozen=True)
class CompressSettings:
    keep_channels: bool = False  # code every channel; otherwise one that mixes them
    chunk_s: float | None = None  # None: the profile's own
    copy_tags: bool = True
    effort: int | None = None  # codewords to choose from for each token; None: as the model says

    def __post_init__(self) -> None:
        if self.chunk_s is not None and not MIN_CHUNK_S <= self.chunk_s <= MAX_CHUNK_S:
            raise UsageProblem(
                f"chunks of {self.chunk_s:g} s are outside {MIN_CHUNK_S:g} to {MAX_CHUNK_S:g} s"
            )


class Compression(Stream[EncodeJob, Codes]):
    """Reads `source`, writes `file`; both stay the caller's to close."""

    engine: Encoder

    def __init__(
        self,
        source: AudioSource,
        file: BinaryIO,
        encoder: Encoder,
        settings: CompressSettings,
        live: bool = False,
    ):
        self.live = live
        self.engine = encoder
        self.source = source
        self.payload_bits = 0  # of indices of either kind
        self._settings = settings
        # The header's word for a pipe's length is not to be relied upon.
        samples = None if live else source.samples
        self.header = header_for(encoder.chain, source, samples, settings)
        self._file = file if file.seekable() else cast(BinaryIO, _Pipe(file))
        self._start = file.tell() if file.seekable() else 0
        self._writer = mlcfile.Writer(self._file, self.header)
        self._tags_written = dict(source.tags) if settings.copy_tags else {}
        if self._tags_written:
            self._writer.write_tags(self._tags_written)

    @property
    def samples(self) -> int:
        """Per channel; known when the source was read to its end."""
        assert self.source.samples is not None
        return self.source.samples

    @property
    def mlc_bytes(self) -> int:
        """Written so far."""
        return self._file.size if isinstance(self._file, _Pipe) else self._file.tell() - self._start

    def jobs(self) -> Iterator[EncodeJob]:
        source, layout = self.source, self.header.layout
        channels = self.header.coded_channels
        resampler = Resampler(source.rate_hz, layout.model_rate_hz, channels)
        context_tokens = self.engine.chain.encode_context_tokens
        segments = AudioSegments(channels, layout.chunk_frames, layout.frame_samples, context_tokens)
        for block in source.blocks(source.rate_hz):
            yield from segments.push(
                resampler.process(block if self.header.all_channels else mix_down(block, source.speakers)).T
            )
        if self.header.samples not in (None, self.samples):
            raise AudioUnreadable(f"ends after {self.samples} of {self.header.samples} samples", source.name)
        yield from segments.push(resampler.flush().T)
        yield from segments.finish(self.header.frames_of(self.samples))

    def take(self, job: EncodeJob, result: Codes) -> None:
        self._writer.write_chunk(
            result.indices[:, :, None], result.globals_ if self.header.globals_ else None
        )
        self.payload_bits += job.tokens * self.header.frame_bits + self.header.chunk_globals_bits

    def finish(self) -> None:
        # A pipe may have had tags behind its audio.
        late = {key: value for key, value in self.source.tags.items() if key not in self._tags_written}
        if self._settings.copy_tags and late:
            self._writer.write_tags(late)
        self._writer.finish(self.samples)


def layout_of(profile: Profile, chunk_tokens: int) -> mlcfile.Layout:
    return mlcfile.Layout(
        index_bits=profile.coder.index_bits,
        model_rate_hz=profile.mel.rate_hz,
        frame_samples=profile.token_samples,
        chunk_frames=chunk_tokens,
    )


def globals_of(profile: Profile) -> mlcfile.Globals | None:
    return mlcfile.Globals(profile.timbre.values, profile.timbre.bits) if profile.timbre else None


def header_for(
    chain: Chain, source: AudioSource, samples: int | None, settings: CompressSettings
) -> mlcfile.Header:
    profile = chain.profile
    chunk_tokens = profile.chunk_tokens
    if settings.chunk_s is not None:
        chunk_tokens = max(1, round(settings.chunk_s * profile.tokens_per_second))
    return mlcfile.Header(
        bitstream_id=chain.bitstream_id,
        renderer_id=chain.renderer_id,
        rate_hz=source.rate_hz,
        channels=source.channels,
        samples=samples,
        all_channels=settings.keep_channels and source.channels > 1,
        layout=layout_of(profile, chunk_tokens),
        globals_=globals_of(profile),
    )


class _Pipe:
    """A file that cannot be asked how far it reaches, and so is watched."""

    def __init__(self, file: BinaryIO):
        self.size = 0
        self._file = file

    def write(self, data: memoryview) -> int:
        written = self._file.write(data)
        self.size += written
        return written

    def flush(self) -> None:
        self._file.flush()
