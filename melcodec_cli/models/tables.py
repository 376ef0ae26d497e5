"""The tables for entropy coding that a bundle may carry, read and added without torch.

They are one more tensor of bytes, as mlcfile packs them, which no id of the bundle covers: files decode the same with
and without them.
"""

from __future__ import annotations

import json
from pathlib import Path

import mlcfile
from mlcfile.tables import MAX_TABLES_BYTES

from melcodec_cli.errors import ModelMismatch, ModelMissing
from melcodec_cli.files.atomic import output_file
from melcodec_cli.models.installed import BundleInfo, installed_bundles, read_head

TENSOR = "tables.packed"


def read_tables(bundle: BundleInfo) -> mlcfile.Tables:
    """The tables of a bundle; ModelMismatch if they are missing or damaged, or not for this bundle."""
    head, start = read_head(bundle.path)
    try:
        place = head[TENSOR]
        first, last = place["data_offsets"]
        if place["dtype"] != "U8" or not 0 <= first <= last <= first + MAX_TABLES_BYTES:
            raise ValueError("they are not bytes, or too many")
        with bundle.path.open("rb") as file:
            file.seek(start + first)
            tables = mlcfile.unpack_tables(file.read(last - first))
        if tables.id.hex() != bundle.tables_id:
            raise ValueError(f"they have the id {tables.id.hex()}, not {bundle.tables_id}")
        if bundle.shape is not None and tables.codewords != bundle.shape.codewords:
            raise ValueError(f"they are for {tables.codewords} codewords, not {bundle.shape.codewords}")
    except (KeyError, TypeError, ValueError) as error:
        reason = "it has none" if isinstance(error, KeyError) else error
        told = f"the bundle's tables for entropy coding cannot be used: {reason}"
        raise ModelMismatch(told, bundle.path) from None
    return tables


def bundle_with_tables(bundle: BundleInfo, tables_id: str) -> BundleInfo:
    """The bundle itself, or another one of its bitstream id, that has these tables."""
    if bundle.tables_id == tables_id:
        return bundle
    for other in installed_bundles():
        if (other.bitstream_id, other.tables_id) == (bundle.bitstream_id, tables_id):
            return other
    raise ModelMissing(
        f"entropy coded with the tables {tables_id}, but {bundle.name} has {bundle.tables_id or 'none'}; "
        "install the bundle that the file was made with"
    )


def write_with_tables(bundle: BundleInfo, tables: mlcfile.Tables, target: Path, force: bool) -> None:
    """Writes the bundle with these tables, in place of any that it had; nothing else in it changes."""
    head, start = read_head(bundle.path)
    with bundle.path.open("rb") as file:
        file.seek(start)
        weights = file.read()
    if old := head.pop(TENSOR, None):
        first, last = old["data_offsets"]
        if last != len(weights):
            raise ModelMismatch("its tables for entropy coding are not its last tensor", bundle.path)
        weights = weights[:first]
    packed = mlcfile.pack_tables(tables)
    head["__metadata__"] |= {"tables_id": tables.id.hex()}
    head[TENSOR] = {
        "dtype": "U8",
        "shape": [len(packed)],
        "data_offsets": [len(weights), len(weights) + len(packed)],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # safetensors aligns its tensors
    with output_file(target, force) as out:
        out.write(len(text).to_bytes(8, "little") + text + weights + packed)
