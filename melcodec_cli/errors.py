"""Every way melcodec can fail: one family of exceptions, each class with its exit code.

A message is one lower-case line without a full stop that says what, where and what to do. If it is about a path, the
path is kept separately, so that batches and JSON reports can name it themselves.
"""

import os
import traceback
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. Codes from 126 up follow the shell's own "128 + signal" convention."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    AUDIO_UNREADABLE = 3
    MLC_CORRUPT = 4
    MODEL = 5
    OUTPUT = 6
    UNSUPPORTED = 7
    BATCH = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class MelcodecError(Exception):
    """A failure whose message is written for the user; `str()` is the whole line, path first."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, path: object = None):
        super().__init__(message if path is None else f"{path}: {message}")
        self.message = message
        self.path = None if path is None else str(path)


class UsageProblem(MelcodecError):
    """The arguments contradict each other, or name something that does not exist."""

    exit_code = ExitCode.USAGE


class AudioUnreadable(MelcodecError):
    """The input cannot be read as audio."""

    exit_code = ExitCode.AUDIO_UNREADABLE


class MlcCorrupt(MelcodecError):
    """The input is not an .mlc file, or is damaged."""

    exit_code = ExitCode.MLC_CORRUPT


class MlcTruncated(MlcCorrupt):
    """The .mlc file ends before its END block."""


class ModelMissing(MelcodecError):
    """No installed bundle has the requested name or bitstream id."""

    exit_code = ExitCode.MODEL


class ModelMismatch(MelcodecError):
    """The file is not a bundle, or is one for another bitstream."""

    exit_code = ExitCode.MODEL


class OutputExists(MelcodecError):
    """The target already exists, and replacing it was not allowed."""

    exit_code = ExitCode.OUTPUT


class SameFile(MelcodecError):
    """Input and output are the same file, which not even --force may destroy."""

    exit_code = ExitCode.OUTPUT


class OutputOutside(MelcodecError):
    """A link would lead a batch's output outside the folder that was named for it."""

    exit_code = ExitCode.OUTPUT


class Unsupported(MelcodecError):
    """A version or feature of the format, or of an audio container, that this release does not know."""

    exit_code = ExitCode.UNSUPPORTED


class BatchFailures(MelcodecError):
    """Some files of a batch failed. Each was reported at the time; this is the last line."""

    exit_code = ExitCode.BATCH


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt, it passes every `except Exception` and runs every clean-up."""


def show_traceback(error: BaseException | None) -> None:
    """Print the traceback if MELCODEC_DEBUG asks for it: users do not need it."""
    if os.environ.get("MELCODEC_DEBUG") == "1":
        traceback.print_exception(error)


def describe(error: Exception) -> str:
    """One line for an error that is not a MelcodecError."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    reason = (str(error).splitlines() or [""])[0]
    return f"internal error: {type(error).__name__}: {reason}"


def path_of(error: Exception) -> str | None:
    """The file that a system error is about; on a full disk, that may be the output."""
    return os.fsdecode(error.filename) if isinstance(error, OSError) and error.filename else None


def from_mlc_error(error: Exception, path: object = None) -> MelcodecError:
    """Turn one of mlcfile's errors, which know neither paths nor exit codes, into ours."""
    import mlcfile

    if isinstance(error, mlcfile.UnsupportedError):
        return Unsupported(str(error), path)
    if isinstance(error, mlcfile.TruncatedError):
        return MlcTruncated(str(error), path)
    return MlcCorrupt(str(error), path)
