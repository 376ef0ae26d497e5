"""Bundles: a profile and its weights in one safetensors file, so that opening one can never run code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from melcodec_cli.errors import ModelMismatch
from melcodec_cli.files.atomic import output_file
from melcodec_cli.models.installed import BUNDLE_FORMAT, BundleInfo, bundle_named, read_bundle_info
from melcodec_cli.systems.fmel.chain import Chain
from melcodec_cli.systems.fmel.config import Profile, ProfileError
from melcodec_cli.systems.span import Span

# What the meaning of indices hangs on.  The encoder is not among it: a better one may be released for old decoders.
BITSTREAM_PARTS = ("coder.decoder.", "coder.quantiser.codebook", "coder.mean", "coder.deviation")
BITSTREAM_SETTINGS = ("mel", "coder", "timbre")
RENDERER_PARTS = ("refiner.", "pitch.", "vocoder.")
RENDERER_SETTINGS = ("refiner", "pitch", "vocoder")
# Settings that came after the first models, with the values that are as before: their ids must outlast a release.
LATER_SETTINGS = {"coder": {"encoder_frame_blocks": 0}, "vocoder": {"hop_frames": 1, "noise_frames": 0}}
MAX_BUNDLE_BYTES = 192 << 20  # with its weights in single precision, which take twice that, under a gigabyte
TRAINING_STATE = "coder.quantiser.usage"  # of online clustering; not shipped


def choose_device(name: str = "auto") -> torch.device:
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def save_bundle(chain: Chain, path: Path, name: str, licence: str, training: dict[str, Any]) -> None:
    """Write the chain in half precision, with ids of its parts."""
    tensors = {
        key: value.half().contiguous() for key, value in chain.state_dict().items() if key != TRAINING_STATE
    }
    profile = chain.profile.to_dict()
    bitstream_id, renderer_id = ids(tensors, profile)
    metadata = {
        "format": BUNDLE_FORMAT,
        "name": name,
        "profile": json.dumps(profile),
        "bitstream_id": bitstream_id.hex(),
        "renderer_id": renderer_id.hex(),
        "licence": licence,
        "training": json.dumps(training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with output_file(path, force=True) as file:
        file.write(save(tensors, metadata))


def load_bundle(bundle: BundleInfo | Path | str, device: str = "auto") -> Chain:
    """The chain of a bundle (its info, its path or its installed name), ready to run."""
    info = bundle if isinstance(bundle, BundleInfo) else _info(bundle)
    try:
        profile = Profile.from_dict(info.profile)
        if info.size_bytes > MAX_BUNDLE_BYTES:
            raise ProfileError(
                f"its {info.size_bytes >> 20} MiB are over the limit of {MAX_BUNDLE_BYTES >> 20}"
            )
        tensors = load_file(info.path)
        _check_tensors(tensors, profile)
        found = tuple(part.hex() for part in ids(tensors, profile.to_dict()))
        if found != (info.bitstream_id, info.renderer_id):
            raise ModelMismatch(
                f"the weights are not those that the ids {info.bitstream_id}/{info.renderer_id} name",
                info.path,
            )
        chain = Chain(profile)
        chain.load_state_dict({TRAINING_STATE: chain.coder.quantiser.usage, **tensors})
    except (ProfileError, SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelMismatch(f"not a bundle this release can run: {reason}", info.path) from None
    chain.bitstream_id, chain.renderer_id = bytes.fromhex(info.bitstream_id), bytes.fromhex(info.renderer_id)
    return chain.float().to(choose_device(device))


def try_out(info: BundleInfo) -> Chain:
    """Load the bundle, which compares its weights with its ids, and code a second of noise with it."""
    chain = load_bundle(info, "cpu")
    profile = chain.profile
    second = Span(0, round(profile.tokens_per_second), 0)
    [(indices, globals_)] = chain.encode(
        0.1 * torch.randn(1, second.kept * profile.token_samples), [0], [second]
    )
    if globals_ is not None:
        globals_ = globals_.expand(1, second.kept, -1)
    [decoded] = chain.decode(indices.unsqueeze(0), globals_, [0], [second], chain.default_steps)
    if not torch.isfinite(decoded).all():
        raise ModelMismatch("decodes to something that is no sound", info.path)
    return chain


def _check_tensors(tensors: dict[str, Tensor], profile: Profile) -> None:
    """Before anything is allocated for what the profile claims: its weights are all there, in its shapes."""
    with torch.device("meta"):
        expected = Chain(profile).state_dict()
    expected.pop(TRAINING_STATE)
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ProfileError(f"the weights lack {missing[0]}, which the profile has")
    if surplus := sorted(tensors.keys() - expected.keys()):
        raise ProfileError(f"the weights have {surplus[0]}, which the profile has not")
    for key, tensor in tensors.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
            raise ProfileError(f"the weights {key} have the shape {shapes}")
        if tensor.dtype not in (torch.float16, torch.float32) or not torch.isfinite(tensor).all():
            raise ProfileError(f"the weights {key} are not finite numbers of half or single precision")


def _info(bundle: Path | str) -> BundleInfo:
    return read_bundle_info(bundle) if isinstance(bundle, Path) else bundle_named(bundle)


def ids(tensors: dict[str, Tensor], profile: dict[str, Any]) -> tuple[bytes, bytes]:
    """Bitstream id (4 bytes) and renderer id (2 bytes), hashes of half-precision weights and of settings."""
    return (
        _hash(tensors, BITSTREAM_PARTS, {key: _told(profile, key) for key in BITSTREAM_SETTINGS})[:4],
        _hash(tensors, RENDERER_PARTS, {key: _told(profile, key) for key in RENDERER_SETTINGS})[:2],
    )


def _told(profile: dict[str, Any], stage: str) -> dict[str, Any] | None:
    """The settings of a stage that its id hangs on; None of one that the profile lacks."""
    settings, later = profile[stage], LATER_SETTINGS.get(stage, {})
    return settings and {
        key: value for key, value in settings.items() if key not in later or value != later[key]
    }


def _hash(tensors: dict[str, Tensor], parts: tuple[str, ...], settings: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for key in sorted(tensors):
        if key.startswith(parts):
            digest.update(f"{key}{tuple(tensors[key].shape)}".encode())
            digest.update(tensors[key].numpy().astype("<f2").tobytes())
    return digest.digest()
