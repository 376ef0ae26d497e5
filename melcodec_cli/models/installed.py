"""Finds the installed model bundles, reading only the header of each file, without torch.

A bundle is a safetensors file: eight bytes with the size of a JSON header, the header, then the weights. The
header's `__metadata__` holds everything that melcodec needs to know before it loads a model.
"""

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from melcodec_cli.errors import ModelMismatch, ModelMissing
from melcodec_cli.layers.settings import ProfileError, build
from melcodec_cli.systems.registry import LATER_OPTIONS, build_system, system_name
from melcodec_cli.systems.system import Live, Option, Shape, live_of

BUNDLE_FORMAT = "melcodec-bundle-1"
HEADER_LIMIT_BYTES = 4 << 20  # real headers have about 100 kB, but a file may claim any size
OWN_FOLDER = Path(__file__).parents[1] / "bundles"
# Bundles of the project that are in its source tree but not in the package, for `melcodec models add`.
PUBLISHED_FOLDER = OWN_FOLDER / "more"
# What those of the same names replaced: files that they made can still be decoded.
EARLIER_FOLDER = OWN_FOLDER / "earlier"


@dataclass(frozen=True)
class Published:
    """A bundle of the project, listed so that messages can mention it when it is not installed."""

    name: str
    bitstream_id: str
    licence: str
    rate_hz: int
    suits: tuple[str, ...]


PUBLISHED = (
    Published("speech-16k-strict", "da95a10f", "Apache-2.0", 16_000, ("speech",)),
    Published("speech-16k-325", "bafc4588", "Apache-2.0", 16_000, ("speech",)),
    Published("speech-16k-7500", "e1121d02", "Apache-2.0", 16_000, ("speech",)),
    Published("speech-24k-live", "1ae1a429", "Apache-2.0", 24_000, ("speech",)),
    Published("speech-48k", "cfc851e8", "Apache-2.0", 48_000, ("speech",)),
    Published("audio-44k-3400", "16f23169", "CC BY-SA 4.0", 44_100, ("speech", "music", "sound")),
)

# Bitstream ids of earlier versions.
EARLIER = {
    "1d0fbe2c": "speech-48k",
    "5937fec0": "speech-16k-325",
    "5d6ba049": "speech-24k-live",
    "95ad3500": "speech-16k-strict",
    "a6c73d1e": "audio-44k-3400",
}


@dataclass(frozen=True)
class Facts:
    """The description of a system."""

    shape: Shape | None
    options: tuple[Option, ...]
    suits: tuple[str, ...]  # "speech", "music", "sound"
    live: Live | None = None  # None: it codes whole chunks, or the bundle does not say


@dataclass(frozen=True)
class BundleInfo:
    path: Path
    name: str
    bitstream_id: str  # 8 hex digits; a file can be decoded only with the same id
    renderer_id: str  # 4 hex digits; another one sounds a little different
    licence: str
    profile: dict[str, Any]
    training: dict[str, Any]  # summary of data and steps, for people
    size_bytes: int
    told: Facts | None  # None if the bundle is older than these facts
    tables_id: str | None = None  # 8 hex digits, if it has tables for entropy coding

    @cached_property
    def facts(self) -> Facts:
        return _facts_of_older(self.profile) if self.told is None else self.told

    @property
    def shape(self) -> Shape | None:
        """The shape, or None if this release does not know the system."""
        return self.facts.shape

    @property
    def suits(self) -> tuple[str, ...]:
        return self.facts.suits

    @property
    def live(self) -> Live | None:
        return self.facts.live

    @property
    def profile_name(self) -> str:
        return str(self.profile.get("name", ""))

    @property
    def system(self) -> str:
        return system_name(self.profile)

    @property
    def options(self) -> tuple[Option, ...]:
        """Those that the bundle lists, and those that its system has gained since."""
        listed = self.facts.options
        later = LATER_OPTIONS.get(self.system, ()) if self.shape else ()
        return (*listed, *(option for option in later if option.name not in {each.name for each in listed}))

    def option(self, name: str) -> Option | None:
        """The option of this name, if the model has it."""
        return next((option for option in self.options if option.name == name), None)

    @property
    def comes_with_melcodec(self) -> bool:
        return self.path.parent == OWN_FOLDER


def read_bundle_info(path: str | Path) -> BundleInfo:
    """Read the metadata of a bundle; ModelMismatch if the file is not a bundle."""
    path = Path(path)
    metadata = _read_metadata(path)
    if metadata.get("format") != BUNDLE_FORMAT:
        found = metadata.get("format", "a safetensors file without a format")
        raise ModelMismatch(f"this release cannot read the bundle: {found} instead of {BUNDLE_FORMAT}", path)
    try:
        return BundleInfo(
            path=path,
            name=metadata["name"],
            bitstream_id=_hex_id(metadata["bitstream_id"], 8),
            renderer_id=_hex_id(metadata["renderer_id"], 4),
            licence=metadata["licence"],
            profile=_json_object(metadata["profile"]),
            training=_json_object(metadata["training"]),
            size_bytes=path.stat().st_size,
            told=_facts(metadata) if "shape" in metadata else None,
            tables_id=_hex_id(metadata["tables_id"], 8) if "tables_id" in metadata else None,
        )
    except KeyError as error:
        raise ModelMismatch(f"the bundle's metadata lacks {error.args[0]!r}", path) from None
    except (ValueError, RecursionError) as error:
        raise ModelMismatch(f"the bundle's metadata is damaged: {error}", path) from None


def _facts(metadata: dict[str, str]) -> Facts:
    try:
        shape = Shape.from_dict(_json_object(metadata["shape"]))
        options = tuple(build(Option, each, "option") for each in _json_list(metadata["options"]))
        live = build(Live, _json_object(metadata["live"]), "live") if "live" in metadata else None
    except ProfileError as error:
        raise ValueError(str(error)) from None
    return Facts(shape, options, tuple(map(str, _json_list(metadata["suits"]))), live)


def _facts_of_older(profile: dict[str, Any]) -> Facts:
    """Facts from the system itself, which has to be built: this takes torch, and a second."""
    import torch

    try:
        with torch.device("meta"):
            system = build_system(profile)
        return Facts(system.shape, tuple(system.options), tuple(system.suits), live_of(system))
    except (RuntimeError, ValueError, TypeError, KeyError):
        return Facts(None, (), ())


def bundle_folders() -> list[Path]:
    """The folders in which bundles are looked up, in this order."""
    named = [folder for folder in os.environ.get("MELCODEC_BUNDLES", "").split(os.pathsep) if folder]
    return [OWN_FOLDER, *map(Path, named), user_folder()]


def user_folder() -> Path:
    """The folder of the user's own bundles."""
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "melcodec" / "bundles"


def installed_bundles() -> Iterator[BundleInfo]:
    """All readable bundles in `bundle_folders`; other files are skipped."""
    for folder in bundle_folders():
        yield from _bundles_in(folder)


def bundle_named(name: str) -> BundleInfo:
    """The bundle at the path `name` if it looks like a path, else the installed one with this name or profile."""
    if name.endswith(".safetensors") or os.sep in name:
        if not Path(name).exists():
            raise ModelMissing("no such bundle", name)
        return read_bundle_info(name)
    bundles = list(installed_bundles())
    fitting = [bundle for bundle in bundles if bundle.name == name]
    fitting += [bundle for bundle in bundles if bundle.profile_name == name]
    if fitting:
        return fitting[0]
    names = ", ".join(bundle.name for bundle in bundles)
    raise ModelMissing(f"no bundle is named {name!r}; installed: {names or 'none'}; {how_to_get(name)}")


def bundle_for(bitstream_id: bytes, renderer_id: bytes) -> BundleInfo | None:
    """The installed bundle that decodes a stream, if possible with the renderer that it was made for."""
    bitstream, renderer = bitstream_id.hex(), renderer_id.hex()
    fitting = [bundle for bundle in installed_bundles() if bundle.bitstream_id == bitstream]
    return next((bundle for bundle in fitting if bundle.renderer_id == renderer), next(iter(fitting), None))


def how_to_get(wanted: str) -> str:
    """Advice on how to get the bundle with this name or bitstream id."""
    for bundle in _bundles_in(PUBLISHED_FOLDER):
        if wanted in (bundle.name, bundle.bitstream_id):
            what = f"{bundle.name} ({bundle.licence})"
            return f"install {what} with 'melcodec models add {shlex.quote(str(bundle.path))}'"
    for known in PUBLISHED:
        if wanted in (known.name, known.bitstream_id):
            place = f"melcodec_cli/bundles/{PUBLISHED_FOLDER.name}/{known.name}.safetensors"
            return (
                f"{known.name} ({known.licence}) is in melcodec's source tree as {place}: "
                "install it with 'melcodec models add'"
            )
    if name := EARLIER.get(wanted):
        path = EARLIER_FOLDER / f"{name}-{wanted}.safetensors"
        here = f"melcodec_cli/bundles/{EARLIER_FOLDER.name}/{path.name} of melcodec's source tree"
        place = shlex.quote(str(path)) if path.exists() else here
        return f"an earlier {name} made it: use --bundle {place}"
    return "install a bundle with 'melcodec models add FILE'"


def _bundles_in(folder: Path) -> Iterator[BundleInfo]:
    for path in sorted(folder.glob("*.safetensors")):
        try:
            yield read_bundle_info(path)
        except (ModelMismatch, OSError):
            continue


def _read_metadata(path: Path) -> dict[str, str]:
    return read_head(path)[0]["__metadata__"]


def read_head(path: Path) -> tuple[dict[str, Any], int]:
    """The JSON header of a safetensors file, whose metadata are all text, and where the tensors begin."""
    with path.open("rb") as file:
        start = file.read(9)
        header_bytes = int.from_bytes(start[:8], "little")
        if start[8:] != b"{" or not 2 <= header_bytes <= HEADER_LIMIT_BYTES:
            raise ModelMismatch(_what_it_is(start), path)
        header = start[8:] + file.read(header_bytes - 1)
    if len(header) < header_bytes:
        raise ModelMismatch("the bundle is truncated", path)
    try:
        head = _json_object(header.decode())
    except (ValueError, RecursionError):
        raise ModelMismatch("not a bundle: its header is not JSON", path) from None
    metadata = head.setdefault("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelMismatch("not a bundle: its metadata is not text", path)
    return head, 8 + header_bytes


def _what_it_is(start: bytes) -> str:
    if start.startswith(b"PK") or (start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5")):
        return (
            "refused: this is a pickle, which can run code when it is opened; bundles are safetensors files"
        )
    return "not a bundle: no safetensors header"


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _json_list(text: str) -> list[Any]:
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError("expected a JSON list")
    return value


def _hex_id(text: str, digits: int) -> str:
    if len(bytes.fromhex(text)) * 2 != digits or len(text) != digits:
        raise ValueError(f"{text!r} is not an id of {digits} hexadecimal digits")
    return text.lower()
