"""Chooses the bundle that a file or the user asks for; each is loaded once, when it is first needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import mlcfile

from melcodec_cli.codec.rows import Decoder, Encoder
from melcodec_cli.errors import MlcCorrupt, ModelMismatch, ModelMissing, UsageProblem
from melcodec_cli.models.installed import (
    EARLIER,
    PUBLISHED,
    BundleInfo,
    bundle_for,
    bundle_named,
    how_to_get,
    installed_bundles,
)
from melcodec_cli.models.tables import bundle_with_tables, read_tables
from melcodec_cli.systems.system import Model, bit_rate_text, rows_for

DEFAULT_BUNDLE = "speech-16k"
AUTO = "auto"  # choose a profile by the rate of each recording
# A model of a higher rate is worth its bits if the recording fills at least this much of its band.
FILLED = 2 / 3

Notice = Callable[[str, str], None]
LoadTables = Callable[[], mlcfile.Tables | None]
Options = tuple[tuple[str, int], ...]  # (name, value), sorted so that they can be compared and hashed


@dataclass(frozen=True)
class ModelChoice:
    """Which model the user wants and where it runs, as plain values that can be sent to another machine."""

    device: str = "auto"
    threads: int | None = None
    bundle: str | None = None  # the name or file of a model for everything; or ...
    profile: str | None = None  # ... a name, or AUTO to choose for each recording


class Models:
    """Loads and keeps models.  `notice(topic, line)` gets what the user should know, `detail(line)` details."""

    def __init__(
        self,
        notice: Notice,
        detail: Callable[[str], None],
        choice: ModelChoice | None = None,
    ):
        self.choice = choice or ModelChoice()
        if self.choice.bundle and self.choice.profile:
            raise UsageProblem("--profile and --bundle both name a model: give only one")
        self.loading_s = 0.0  # time spent so far
        self._notice = notice
        self.detail = detail
        self._auto = self.choice.profile == AUTO
        named = self.choice.bundle or (None if self._auto else self.choice.profile)
        self._bundle = bundle_named(named) if named else None
        self._loaded: dict[str, Model] = {}
        self._encoders: dict[tuple[str, Options], Encoder] = {}
        self._decoders: dict[tuple[str, str | None, Options], Decoder] = {}
        # Keyed by everything that a choice depends on, as there may be many short streams.
        self._known: dict[Hashable, Decoder] = {}
        self._names: dict[Decoder, str] = {}

    def bundle_for_rate(self, rate_hz: int) -> BundleInfo:
        """The model for a recording; AUTO depends on its rate."""
        return self._bundle or (self._fitting(rate_hz) if self._auto else self._default)

    def encoder(self, bundle: BundleInfo | None = None, options: Mapping[str, int] | None = None) -> Encoder:
        """The encoder of a bundle (None: the named or default one), with options that its system declares."""
        bundle = bundle or self._bundle or self._default
        chosen = _options(options)
        for name, value in chosen:
            _check_option(bundle, name, value)
        key = str(bundle.path), chosen
        if key not in self._encoders:
            self._encoders[key] = Encoder(
                lambda: self._model(bundle), options, self.choice.threads, _tables_of(bundle)
            )
        return self._encoders[key]

    @cached_property
    def _default(self) -> BundleInfo:
        return bundle_named(DEFAULT_BUNDLE)

    def _fitting(self, rate_hz: int) -> BundleInfo:
        """The speech model of the highest rate whose band the recording fills, the default if there is none.  Of
        several, it is the one with the lowest bit rate, then the first one.

        It is looked up each time, as a model may be added while a program runs.
        """
        default_hz = _rate_hz(self._default)
        wider = [
            bundle
            for bundle in installed_bundles()
            if "speech" in bundle.suits and default_hz < _rate_hz(bundle) * FILLED <= rate_hz
        ]
        if wider:
            return max(wider, key=lambda bundle: (_rate_hz(bundle), -_least_bits_per_s(bundle)))
        for known in PUBLISHED:
            if "speech" in known.suits and default_hz < known.rate_hz * FILLED <= rate_hz:
                line = f"{known.name} is not installed, using {DEFAULT_BUNDLE} instead"
                self._notice(AUTO, f"{line}; {how_to_get(known.name)}")
        return self._default

    def decoder(self, header: mlcfile.Header, options: Mapping[str, int] | None = None) -> Decoder:
        """The decoder for the stream's indices; its renderer may differ from that of the stream."""
        chosen = _options(options)
        asked = (
            header.bitstream_id,
            header.renderer_id,
            header.layout,
            header.globals_,
            header.tables_id,
            chosen,
        )
        if asked not in self._known:
            self._known[asked] = self._choose(header, chosen)
        return self._known[asked]

    def _choose(self, header: mlcfile.Header, options: Options) -> Decoder:
        bundle = self._bundle or bundle_for(header.bitstream_id, header.renderer_id)
        wanted, renderer = header.bitstream_id.hex(), header.renderer_id.hex()
        if bundle is None:
            installed = ", ".join(f"{each.name} ({each.bitstream_id})" for each in installed_bundles())
            advice = how_to_get(wanted)
            if wanted not in EARLIER:
                advice += ", or use --bundle FILE without installing it"
            raise ModelMissing(
                f"needs a bundle of bitstream id {wanted}; installed: {installed or 'none'}; {advice}"
            )
        if bundle.bitstream_id != wanted:
            raise ModelMismatch(
                f"needs a bundle of bitstream id {wanted}, but {bundle.name} has {bundle.bitstream_id}; "
                "name the bundle that the file was made with"
            )
        _refuse_other_layout(header, bundle)
        if bundle.renderer_id != renderer:
            self._notice(
                f"renderer {renderer}",
                f"made for renderer {renderer}, decoded with {bundle.renderer_id} of {bundle.name}: "
                "it may sound a little different",
            )
        taken = tuple(self._taken(bundle, options))
        tables_id = header.tables_id.hex() if header.tables_id else None
        tables = _tables_of(bundle_with_tables(bundle, tables_id)) if tables_id else _no_tables
        key = str(bundle.path), tables_id, taken
        if key not in self._decoders:
            self._decoders[key] = Decoder(
                lambda: self._model(bundle), dict(taken), self.choice.threads, tables
            )
            self._names[self._decoders[key]] = bundle.name
        return self._decoders[key]

    def _taken(self, bundle: BundleInfo, options: Options) -> Iterable[tuple[str, int]]:
        """The options that the bundle has; in a batch, some models may not have all of them."""
        for name, value in options:
            if bundle.option(name):
                _check_option(bundle, name, value)
                yield name, value
            elif value:
                self._notice(
                    f"{name} {bundle.name}", f"{bundle.name} has no option --{name}, so it is ignored"
                )

    def name_of(self, decoder: Decoder) -> str:
        """The name of the bundle that a decoder belongs to."""
        return self._names[decoder]

    def _model(self, bundle: BundleInfo) -> Model:
        key = str(bundle.path)
        if key not in self._loaded:
            began_s = time.perf_counter()
            self._loaded[key] = self._load(bundle)
            self.loading_s += time.perf_counter() - began_s
        return self._loaded[key]

    def _load(self, bundle: BundleInfo) -> Model:
        import torch

        from melcodec_cli.models.bundle import load_bundle

        backends = {"cuda": torch.cuda, "mps": torch.backends.mps}
        if self.choice.device in backends and not backends[self.choice.device].is_available():
            raise UsageProblem(f"--device {self.choice.device}: torch cannot find this device")
        model = load_bundle(bundle, self.choice.device)
        where = f"{model.system.device}, {torch.get_num_threads()} threads"
        self.detail(
            f"{bundle.path}: bitstream {bundle.bitstream_id}, renderer {bundle.renderer_id}, on {where}"
        )
        return model


def _tables_of(bundle: BundleInfo) -> LoadTables:
    """Loads the bundle's tables, if it has any, when they are first needed."""
    return _no_tables if bundle.tables_id is None else lambda: read_tables(bundle)


def _no_tables() -> None:
    return None


def rows_of(bundle: BundleInfo, bits_per_s: float) -> int:
    """How many rows to send for this bit rate; UsageProblem lists the bit rates that the bundle has."""
    rows = rows_for(bundle.shape, bits_per_s) if bundle.shape else None
    if rows is None:
        rates = sorted(bundle.shape.bits_per_s.values()) if bundle.shape else []
        there = ", ".join(map(bit_rate_text, rates))
        raise UsageProblem(f"--bitrate {bit_rate_text(bits_per_s)}: {bundle.name} offers {there} bit/s")
    return rows


def _options(options: Mapping[str, int] | None) -> Options:
    return tuple(sorted((options or {}).items()))


def _check_option(bundle: BundleInfo, name: str, value: int) -> None:
    option = bundle.option(name)
    if option is None:
        raise UsageProblem(f"--{name}: {bundle.name} has no such option")
    if not option.low <= value <= option.high:
        raise UsageProblem(f"--{name} {value}: must be {option.low} to {option.high} for {bundle.name}")


def _rate_hz(bundle: BundleInfo) -> int:
    return bundle.shape.rate_hz if bundle.shape else 0


def _least_bits_per_s(bundle: BundleInfo) -> float:
    return min(bundle.shape.bits_per_s.values()) if bundle.shape else float("inf")


def _refuse_other_layout(header: mlcfile.Header, bundle: BundleInfo) -> None:
    """Raise an error if the stream's indices are not laid out as its bitstream id promises."""
    if bundle.shape is None:
        raise ModelMismatch("this release cannot run the bundle: its system is unknown", bundle.path)
    if not bundle.shape.fits(header.layout):
        raise MlcCorrupt(f"it names {bundle.name}, but its indices are laid out differently")
    own = header.globals_ and replace(header.globals_, scope="chunk")  # their place makes no difference
    if own != bundle.shape.globals_:
        raise MlcCorrupt(f"it names {bundle.name}, but its global indices are different")
