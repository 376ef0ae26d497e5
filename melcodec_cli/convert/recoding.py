"""Opens the files of `melcodec recode`, and finds out which bit rates there are."""

from __future__ import annotations

import io
import math
from contextlib import ExitStack
from typing import BinaryIO, cast

import mlcfile

from melcodec_cli.codec.recode import recode
from melcodec_cli.errors import ModelMissing, UsageProblem, from_mlc_error
from melcodec_cli.files.atomic import check_output, output_file
from melcodec_cli.files.standard import standard_input, standard_output
from melcodec_cli.files.streams import READ, STDIO, WRITE, plain_name
from melcodec_cli.models.installed import bundle_for
from melcodec_cli.models.tables import bundle_with_tables, read_tables
from melcodec_cli.systems.system import bit_rate_text


def recode_file(source: str, target: str, bits_per_s: float, force: bool) -> tuple[int, int]:
    """Write `source` to `target` at this bit rate; returns the bytes of both."""
    source, target = plain_name(source, READ), plain_name(target, WRITE)
    with ExitStack() as files:
        file = standard_input() if source == STDIO else _opened(source, files)
        if target != STDIO:
            check_output(target, force, [file])
        reading, made = Counted(file), io.BytesIO()
        # Made in memory, as the length is to be filled in, and nothing may be written of a file that is refused.
        try:
            recode(cast(BinaryIO, reading), made, lambda header: rows_for(header, bits_per_s), tables_for)
        except mlcfile.MlcError as error:
            raise from_mlc_error(error, source) from error
        except UsageProblem as error:
            raise UsageProblem(error.message, source) from error
        out = (
            standard_output() if target == STDIO else files.enter_context(output_file(target, force, [file]))
        )
        out.write(made.getbuffer())
        out.flush()
        return reading.size, len(made.getbuffer())


def rows_for(header: mlcfile.Header, bits_per_s: float) -> int:
    """How many of a stream's rows make this bit rate; UsageProblem lists what there is."""
    layout, bundle = header.layout, bundle_for(header.bitstream_id, header.renderer_id)
    # Without the model, whatever refines something else may be missing.
    may_be_sent = bundle.shape.rows_sent if bundle and bundle.shape else range(1, layout.rows + 1)
    fewer = [rows for rows in may_be_sent if rows <= layout.rows and layout.kind == "stages"] or [layout.rows]
    row_bits_per_s = layout.index_bits * layout.model_rate_hz / layout.frame_samples
    for rows in fewer:
        if math.isclose(rows * row_bits_per_s, bits_per_s, rel_tol=0.01):
            return rows
    there = ", ".join(bit_rate_text(rows * row_bits_per_s) for rows in fewer)
    raise UsageProblem(f"--bitrate {bit_rate_text(bits_per_s)}: the file can be cut to {there} bit/s")


def tables_for(header: mlcfile.Header) -> mlcfile.Tables:
    bundle = bundle_for(header.bitstream_id, header.renderer_id)
    assert header.tables_id is not None
    if bundle is None:
        raise ModelMissing(
            f"entropy coded with the tables {header.tables_id.hex()}, and the bundle that has them is not installed"
        )
    return read_tables(bundle_with_tables(bundle, header.tables_id.hex()))


def _opened(source: str, files: ExitStack) -> BinaryIO:
    try:
        return files.enter_context(open(source, "rb"))
    except OSError as error:
        raise UsageProblem((error.strerror or str(error)).lower(), source) from error


class Counted(io.RawIOBase):
    """Counts what is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.size, self._file = 0, file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.size += len(data)
        return data
