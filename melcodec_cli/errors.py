"""Every way melcodec can fail: one family of exceptions, each class owning its exit code.

A message is one lower-case line without a full stop that says what, where and what to do. The path it is
about, when there is one, is given apart so that batches and JSON reports can name it themselves.
"""

import os
import traceback
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. Codes from 126 up are left to the shell's own "128 + signal" convention."""

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
    """The arguments make no sense together, or name nothing that exists."""

    exit_code = ExitCode.USAGE


class AudioUnreadable(MelcodecError):
    """The input cannot be read as audio."""

    exit_code = ExitCode.AUDIO_UNREADABLE


class MlcCorrupt(MelcodecError):
    """The input is not an .mlc file, or a damaged one."""

    exit_code = ExitCode.MLC_CORRUPT


class MlcTruncated(MlcCorrupt):
    """The .mlc file ends before its END block."""


class ModelMissing(MelcodecError):
    """No installed bundle has the name or the bitstream id asked for."""

    exit_code = ExitCode.MODEL


class ModelMismatch(MelcodecError):
    """The bundle cannot be used: not a bundle, or one for another bitstream."""

    exit_code = ExitCode.MODEL


class OutputExists(MelcodecError):
    """The target is there already and nobody allowed to replace it."""

    exit_code = ExitCode.OUTPUT


class SameFile(MelcodecError):
    """Input and output are one file, which not even --force may destroy."""

    exit_code = ExitCode.OUTPUT


class OutputOutside(MelcodecError):
    """A link would have the output of a batch written outside of the folder that was named for it."""

    exit_code = ExitCode.OUTPUT


class Unsupported(MelcodecError):
    """A version or feature of the format, or of an audio container, that this release does not know."""

    exit_code = ExitCode.UNSUPPORTED


class BatchFailures(MelcodecError):
    """Some files of a batch failed; each was reported when it did, this is the last line."""

    exit_code = ExitCode.BATCH


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt it passes every `except Exception` and runs every clean-up."""


def show_traceback(error: BaseException | None) -> None:
    """Only on request: it is for who looks for a fault in the program."""
    if os.environ.get("MELCODEC_DEBUG") == "1":
        traceback.print_exception(error)


def describe(error: Exception) -> str:
    """One line for an error that is none of the family's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    reason = (str(error).splitlines() or [""])[0]
    return f"internal error: {type(error).__name__}: {reason}"


def path_of(error: Exception) -> str | None:
    """The file that the system's error is about, which may be the output, on a full disk."""
    return os.fsdecode(error.filename) if isinstance(error, OSError) and error.filename else None


def from_mlc_error(error: Exception, path: object = None) -> MelcodecError:
    """The family's exception for one of mlcfile's errors, which know neither paths nor exit codes."""
    import mlcfile

    if isinstance(error, mlcfile.UnsupportedError):
        return Unsupported(str(error), path)
    if isinstance(error, mlcfile.TruncatedError):
        return MlcTruncated(str(error), path)
    return MlcCorrupt(str(error), path)
