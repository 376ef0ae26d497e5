"""Bundles by what a file or a user asks for; each is loaded once, and not before it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import mlcfile

from melcodec_cli.codec.compression import globals_of, layout_of
from melcodec_cli.codec.rows import Decoder, Encoder
from melcodec_cli.errors import MlcCorrupt, ModelMismatch, ModelMissing, UsageProblem
from melcodec_cli.models.installed import BundleInfo, bundle_for, bundle_named, how_to_get, installed_bundles

if TYPE_CHECKING:
    from melcodec_cli.systems.fmel.chain import Chain

DEFAULT_BUNDLE = "speech-16k"
AUTO = "auto"  # the profile that follows each recording's rate
FULL_BAND_BUNDLE = "speech-48k"
FULL_BAND_HZ = 32_000  # recordings of a lower rate have nothing that it could keep and the default could not


class Models:
    """`notice(topic, line)` is told what the user should know, `detail(line)` what one may like to know."""

    def __init__(
        self,
        notice: Callable[[str, str], None],
        detail: Callable[[str], None],
        device: str = "auto",
        threads: int | None = None,
        bundle: str | None = None,
        profile: str | None = None,
    ):
        """bundle or profile: by name, the one used for everything; a profile may be AUTO."""
        if bundle and profile:
            raise UsageProblem("a profile and a bundle name a model each; choose one")
        self.loading_s = 0.0  # spent so far
        self._notice = notice
        self._detail = detail
        self._device = device
        self._threads = threads
        self._auto = profile == AUTO
        named = bundle or (None if self._auto else profile)
        self._bundle = bundle_named(named) if named else None
        self._chains: dict[str, Chain] = {}
        self._encoders: dict[tuple[str, int | None], Encoder] = {}
        self._decoders: dict[tuple[str, int | None], Decoder] = {}
        self._known: dict[
            Hashable, Decoder
        ] = {}  # by all that a choice hangs on: streams may be many and short
        self._names: dict[Encoder | Decoder, str] = {}
        self._full_band_found: BundleInfo | None = None

    def encoder(self, rate_hz: int = 0, choices: int | None = None) -> Encoder:
        """rate_hz: of the recording, which AUTO goes by; choices: of codewords, as the model says when None."""
        bundle = self._bundle or (
            self._full_band if self._auto and rate_hz >= FULL_BAND_HZ else self._default
        )
        key = str(bundle.path), choices
        if key not in self._encoders:
            self._encoders[key] = Encoder(lambda: self._chain(bundle), choices, self._threads)
            self._names[self._encoders[key]] = bundle.name
        return self._encoders[key]

    @cached_property
    def _default(self) -> BundleInfo:
        return bundle_named(DEFAULT_BUNDLE)

    @property
    def _full_band(self) -> BundleInfo:
        """Looked for until it is found: it may be added while a program runs."""
        try:
            self._full_band_found = self._full_band_found or bundle_named(FULL_BAND_BUNDLE)
            return self._full_band_found
        except ModelMissing:
            line = f"{FULL_BAND_BUNDLE} is not installed, and {DEFAULT_BUNDLE} takes its place"
            self._notice(AUTO, f"{line}; {how_to_get(FULL_BAND_BUNDLE)}")
            return self._default

    def decoder(self, header: mlcfile.Header, steps: int | None = None) -> Decoder:
        """The one that understands the stream's indices; another renderer than the one it was made for will do."""
        asked = header.bitstream_id, header.renderer_id, header.layout, header.globals_, steps
        if asked not in self._known:
            self._known[asked] = self._choose(header, steps)
        return self._known[asked]

    def _choose(self, header: mlcfile.Header, steps: int | None) -> Decoder:
        bundle = self._bundle or bundle_for(header.bitstream_id, header.renderer_id)
        wanted, renderer = header.bitstream_id.hex(), header.renderer_id.hex()
        if bundle is None:
            installed = ", ".join(f"{each.name} ({each.bitstream_id})" for each in installed_bundles())
            raise ModelMissing(
                f"needs a bundle of bitstream id {wanted}; installed: {installed or 'none'}; "
                f"{how_to_get(wanted)}, and --bundle takes one that is not installed"
            )
        if bundle.bitstream_id != wanted:
            raise ModelMismatch(
                f"needs a bundle of bitstream id {wanted}, and {bundle.name} has {bundle.bitstream_id}; "
                "name the bundle it was made with"
            )
        _refuse_other_layout(header, bundle)
        if bundle.renderer_id != renderer:
            self._notice(
                f"renderer {renderer}",
                f"made for renderer {renderer}, played by {bundle.renderer_id} of {bundle.name}: "
                "it may sound a little different",
            )
        if steps and not bundle.profile.get("refiner", True):
            self._notice(f"refiner {bundle.name}", f"{bundle.name} has no refiner, and takes no steps of one")
        key = str(bundle.path), steps
        if key not in self._decoders:
            self._decoders[key] = Decoder(lambda: self._chain(bundle), steps, self._threads)
            self._names[self._decoders[key]] = bundle.name
        return self._decoders[key]

    def name_of(self, coder: Encoder | Decoder) -> str:
        """Of the bundle of one of these."""
        return self._names[coder]

    def _chain(self, bundle: BundleInfo) -> Chain:
        key = str(bundle.path)
        if key not in self._chains:
            began_s = time.perf_counter()
            self._chains[key] = self._load(bundle)
            self.loading_s += time.perf_counter() - began_s
        return self._chains[key]

    def _load(self, bundle: BundleInfo) -> Chain:
        import torch

        from melcodec_cli.models.bundle import load_bundle

        backends = {"cuda": torch.cuda, "mps": torch.backends.mps}
        if self._device in backends and not backends[self._device].is_available():
            raise UsageProblem(f"--device {self._device}: there is none that torch can use")
        chain = load_bundle(bundle, self._device)
        where = f"{chain.device}, {torch.get_num_threads()} threads"
        self._detail(
            f"{bundle.path}: bitstream {bundle.bitstream_id}, renderer {bundle.renderer_id}, on {where}"
        )
        return chain


def _refuse_other_layout(header: mlcfile.Header, bundle: BundleInfo) -> None:
    """A writer's mistake or malice: the id promises indices of another shape than the stream has."""
    from melcodec_cli.systems.fmel.config import Profile, ProfileError

    try:
        profile = Profile.from_dict(bundle.profile)
    except ProfileError as error:
        raise ModelMismatch(f"not a bundle this release can run: {error}", bundle.path) from None
    chunk_frames, globals_ = header.layout.chunk_frames, globals_of(profile)
    if header.layout != layout_of(profile, chunk_frames):
        raise MlcCorrupt(f"its indices are laid out otherwise than those of {bundle.name}, which it names")
    own = header.globals_ and replace(header.globals_, scope="chunk")  # where they stand makes no difference
    if own != globals_:
        raise MlcCorrupt(f"its global indices are not those of {bundle.name}, which it names")
