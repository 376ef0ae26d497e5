"""Bundles: a profile and its weights in one safetensors file, which cannot run code when it is opened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from melcodec_cli.errors import ModelMismatch
from melcodec_cli.files.atomic import output_file
from melcodec_cli.layers.settings import ProfileError
from melcodec_cli.models import tables
from melcodec_cli.models.installed import BUNDLE_FORMAT, BundleInfo, bundle_named, read_bundle_info
from melcodec_cli.systems.registry import build_system, system_name
from melcodec_cli.systems.span import Span
from melcodec_cli.systems.system import Codes, Identity, Model, System, live_of

MAX_BUNDLE_BYTES = 192 << 20  # in memory, with weights in single precision, still less than a gigabyte


def choose_device(name: str = "auto") -> torch.device:
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def save_bundle(system: System, path: Path, name: str, licence: str, training: dict[str, Any]) -> None:
    """Write the system in half precision, with its ids, its metadata and the summary of its training."""
    tensors = {
        key: value.half().contiguous()
        for key, value in as_module(system).state_dict().items()
        if key not in system.identity.unshipped
    }
    profile = system.profile_values
    bitstream_id, renderer_id = ids(tensors, profile, system.identity)
    metadata = {
        "format": BUNDLE_FORMAT,
        "name": name,
        "profile": json.dumps(profile),
        "bitstream_id": bitstream_id.hex(),
        "renderer_id": renderer_id.hex(),
        "licence": licence,
        "training": json.dumps(training),
        **facts_of(system),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with output_file(path, force=True) as file:
        file.write(save(tensors, metadata))


def facts_of(system: System) -> dict[str, str]:
    """The metadata that describes the system, readable without torch."""
    live = live_of(system)
    return {
        **({} if live is None else {"live": json.dumps(dataclasses.asdict(live))}),
        "shape": json.dumps(system.shape.to_dict()),
        "options": json.dumps([vars(option) for option in system.options]),
        "suits": json.dumps(list(system.suits)),
    }


def load_bundle(bundle: BundleInfo | Path | str, device: str = "auto") -> Model:
    """The model of a bundle (its info, its path or its installed name), ready to run."""
    info = bundle if isinstance(bundle, BundleInfo) else _info(bundle)
    try:
        if info.size_bytes > MAX_BUNDLE_BYTES:
            raise ProfileError(
                f"its size of {info.size_bytes >> 20} MiB is over the limit of {MAX_BUNDLE_BYTES >> 20} MiB"
            )
        # Nothing is allocated for this profile before all weights are known to be there, in the right shapes.
        # Constants are made on the CPU even so, as torch's meta device takes a second to make its first window.
        with torch.device("meta"):
            system = build_system(info.profile)
        module, identity = as_module(system), system.identity
        tensors = {key: value for key, value in load_file(info.path).items() if key != tables.TENSOR}
        promised = module.state_dict()
        _check_tensors(tensors, promised, identity)
        found = tuple(part.hex() for part in ids(tensors, system.profile_values, identity))
        if found != (info.bitstream_id, info.renderer_id):
            raise ModelMismatch(
                f"the weights do not match the ids {info.bitstream_id}/{info.renderer_id}",
                info.path,
            )
        unshipped = {key: torch.zeros(promised[key].shape) for key in identity.unshipped}
        module.load_state_dict(unshipped | tensors, assign=True)
        if info.shape is not None and info.shape != system.shape:
            raise ProfileError("its metadata describes another shape than its profile")
    except (ProfileError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelMismatch(f"not a bundle this release can run: {reason}", info.path) from None
    module.float().to(choose_device(device)).eval().requires_grad_(False)
    return Model(system, info.name, bytes.fromhex(info.bitstream_id), bytes.fromhex(info.renderer_id))


def try_out(info: BundleInfo) -> System:
    """Load the bundle, checking weights and tables against their ids, and code a second of noise with it."""
    system = load_bundle(info, "cpu").system
    if info.tables_id is not None:
        tables.read_tables(info)
    shape = system.shape
    second = Span(0, max(1, round(shape.frames_per_s)), 0)
    noise = 0.1 * np.random.default_rng(0).standard_normal(second.kept * shape.frame_samples)
    [coded] = system.encode([noise.astype(np.float32)], [second], {})
    if coded.globals_ is not None:
        coded = Codes(coded.indices, np.tile(coded.globals_, (second.kept, 1)))
    [decoded] = system.decode([coded], [second], {})
    if not np.isfinite(decoded).all():
        raise ModelMismatch("decodes to values that are not finite", info.path)
    return system


def parameter_count(system: System) -> int:
    return sum(parameter.numel() for parameter in as_module(system).parameters())


def as_module(system: System) -> nn.Module:
    """The system as the torch module that it is."""
    assert isinstance(system, nn.Module)
    return cast(nn.Module, system)


def _check_tensors(tensors: dict[str, Tensor], state: dict[str, Tensor], identity: Identity) -> None:
    expected = {key: value for key, value in state.items() if key not in identity.unshipped}
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ProfileError(f"the weights lack {missing[0]}, which the profile requires")
    if surplus := sorted(tensors.keys() - expected.keys()):
        raise ProfileError(f"the weights contain {surplus[0]}, which the profile does not have")
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
            raise ProfileError(f"the weights {key} have the wrong shape: {shapes}")
        if tensor.dtype not in (torch.float16, torch.float32) or not torch.isfinite(tensor).all():
            raise ProfileError(f"the weights {key} are not finite numbers of half or single precision")


def _info(bundle: Path | str) -> BundleInfo:
    return read_bundle_info(bundle) if isinstance(bundle, Path) else bundle_named(bundle)


def ids(tensors: dict[str, Tensor], profile: dict[str, Any], identity: Identity) -> tuple[bytes, bytes]:
    """Bitstream id (4 bytes) and renderer id (2 bytes): hashes of half-precision weights and settings."""
    bitstream = _told(profile, identity.bitstream_settings, identity)
    renderer = _told(profile, identity.renderer_settings, identity)
    return (
        _hash(tensors, identity.bitstream_parts, bitstream)[:4],
        _hash(tensors, identity.renderer_parts, renderer)[:2],
    )


def _told(profile: Mapping[str, Any], names: tuple[str, ...], identity: Identity) -> dict[str, Any]:
    """The settings that an id depends on; the first profiles named no system, so none is hashed for them."""
    told: dict[str, Any] = {"system": system_name(profile)} if "system" in profile else {}
    for name in names:
        value, later = profile[name], identity.later_settings.get(name, {})
        if isinstance(value, Mapping):
            value = {key: each for key, each in value.items() if key not in later or each != later[key]}
        told[name] = value
    return told


def _hash(tensors: dict[str, Tensor], parts: tuple[str, ...], settings: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for key in sorted(tensors):
        if key.startswith(parts):
            digest.update(f"{key}{tuple(tensors[key].shape)}".encode())
            digest.update(tensors[key].numpy().astype("<f2").tobytes())
    return digest.digest()
