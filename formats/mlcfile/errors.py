"""What can go wrong with an .mlc file: one family, so that callers need to catch only `MlcError`."""

from __future__ import annotations


class MlcError(Exception):
    """Anything wrong with an .mlc file; the message is one lower-case line."""


class NotMlcError(MlcError):
    """The file does not begin like an .mlc file."""


class UnsupportedError(MlcError):
    """An intact file that needs a newer reader: its version, a flag or a critical block is unknown."""


class NoTablesError(UnsupportedError):
    """The indices of an entropy-coded chunk were asked for, but the reader has no tables."""


class CorruptError(MlcError):
    """The file breaks a rule of the format; `offset`, `chunk` and `start_s` say where, if known."""

    def __init__(
        self,
        message: str,
        *,
        offset: int | None = None,
        chunk: int | None = None,
        start_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset  # bytes from the start of what the reader was given
        self.chunk = chunk  # number of the chunk that is read or expected there
        self.start_s = start_s  # where that chunk begins in the recording

    def __str__(self) -> str:
        places = []
        if self.chunk is not None:
            places.append(f"chunk {self.chunk}")
        if self.start_s is not None:
            places.append(f"from {self.start_s:.2f} s")
        if self.offset is not None:
            places.append(f"byte {self.offset}")
        return f"{self.message} ({', '.join(places)})" if places else self.message


class TruncatedError(CorruptError):
    """The file ends, or another stream begins, before this stream's END block."""
