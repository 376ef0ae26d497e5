"""Reads and writes .mlc files, the bytes of a neural speech codec, as SPEC.md defines them. Needs no codec."""

from .blocks import Block, Chunk, End
from .errors import CorruptError, MlcError, NoTablesError, NotMlcError, TruncatedError, UnsupportedError
from .header import Header
from .layout import Globals, Layout
from .live import Packer, Piece, Unpacker
from .reader import Reader, read_streams
from .remux import remux
from .tables import Source, Tables, pack_tables, unpack_tables
from .tags import Tags
from .writer import Writer

__all__ = [
    "Block",
    "Chunk",
    "CorruptError",
    "End",
    "Globals",
    "Header",
    "Layout",
    "MlcError",
    "NoTablesError",
    "NotMlcError",
    "Packer",
    "Piece",
    "Reader",
    "Source",
    "Tables",
    "Tags",
    "TruncatedError",
    "Unpacker",
    "UnsupportedError",
    "Writer",
    "pack_tables",
    "read_streams",
    "remux",
    "unpack_tables",
]
