"""Installs bundles in the user's folder, completely and checked or not at all, and removes them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from melcodec_cli.errors import ModelMismatch, ModelMissing, OutputExists, SameFile, UsageProblem
from melcodec_cli.files.atomic import output_file
from melcodec_cli.models.installed import BundleInfo, installed_bundles, read_bundle_info, user_folder

# The name in a bundle cannot be trusted, and becomes a file name.
NAME = re.compile(r"(?!auto$)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}(?<!\.safetensors)")


def add_bundle(path: Path, force: bool = False) -> tuple[BundleInfo, list[BundleInfo]]:
    """Install a bundle.  Returns it and those it replaced, which had the same name or ids.

    The bundle is copied to a private folder first, and this copy is checked and installed, so that nobody can change
    it in between.
    """
    from melcodec_cli.models.bundle import MAX_BUNDLE_BYTES

    if not path.is_file():
        raise UsageProblem("must be a regular file, not a pipe or device", path)
    folder = user_folder()
    if path.resolve().parent == folder.resolve():
        raise SameFile("is already an installed bundle", path)
    if path.stat().st_size > MAX_BUNDLE_BYTES:
        raise ModelMismatch(f"is over the limit of {MAX_BUNDLE_BYTES >> 20} MiB for bundles", path)
    with TemporaryDirectory(prefix="melcodec-") as private:
        copy = Path(shutil.copyfile(path, Path(private, "bundle.safetensors")))
        try:
            name, rivals = _checked(copy, force)
        except ModelMismatch as error:
            raise ModelMismatch(error.message, path) from None
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{name}.safetensors"
        with copy.open("rb") as source, output_file(target, force, [path]) as installed:
            shutil.copyfileobj(source, installed)
    for rival in rivals:
        if not rival.path.samefile(target):
            rival.path.unlink()
    return read_bundle_info(target), rivals


def _checked(copy: Path, force: bool) -> tuple[str, list[BundleInfo]]:
    """Check that a bundle can be installed.  Returns its name and the bundles that it would replace."""
    from melcodec_cli.models.bundle import try_out

    info = read_bundle_info(copy)
    if not NAME.fullmatch(info.name):
        raise ModelMismatch(f"its name {info.name[:80]!r} is not allowed for an installed bundle", copy)
    rivals = list(_rivals(info, force))
    try_out(info)
    return info.name, rivals


def remove_bundle(name: str) -> list[BundleInfo]:
    """Remove bundles of this name from the user's folder only.  Returns the removed ones."""
    named = [bundle for bundle in installed_bundles() if bundle.name == name]
    if not named:
        raise ModelMissing(f"no bundle is named {name!r}; run 'melcodec models' to list them")
    removable = [bundle for bundle in named if bundle.path.parent == user_folder()]
    if not removable:
        raise UsageProblem(f"{_origin(named[0])} and cannot be removed", name)
    for bundle in removable:
        bundle.path.unlink()
    return removable


def _rivals(info: BundleInfo, force: bool) -> Iterator[BundleInfo]:
    """Installed bundles to be replaced; raises OutputExists if one cannot be, or must not be without `force`."""
    for bundle in installed_bundles():
        same_name = bundle.name == info.name
        same_ids = (bundle.bitstream_id, bundle.renderer_id) == (info.bitstream_id, info.renderer_id)
        removable = bundle.path.parent == user_folder()
        if same_name and not removable:
            raise OutputExists(
                f"{_origin(bundle)} and takes precedence; use the file with --bundle instead", bundle.name
            )
        if same_name or same_ids:
            if not force:
                ids = f"{bundle.bitstream_id}/{bundle.renderer_id}"
                raise OutputExists(
                    f"is already installed with ids {ids} (use --force to replace it)", bundle.name
                )
            if removable:
                yield bundle


def _origin(bundle: BundleInfo) -> str:
    return "comes with melcodec" if bundle.comes_with_melcodec else f"is in {bundle.path.parent}"
