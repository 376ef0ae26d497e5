"""The `melcodec` program: `program` finds the command, `main` turns every outcome into an exit code."""

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from melcodec_cli import __version__
from melcodec_cli.errors import ExitCode, MelcodecError, Terminated, show_traceback
from melcodec_cli.files.standard import fill_gaps
from melcodec_cli.report.console import say, show_document

# In the order in which a user needs them. The module melcodec_cli.commands.NAME holds the command NAME.
COMMANDS = (
    "compress",
    "decompress",
    "recode",
    "info",
    "verify",
    "models",
    "demo",
    "bench",
    "evaluate",
    "train",
    "bundle",
    "completion",
)


class LazyGroup(click.Group):
    """Imports a command's module only when it is used, so that no command pays for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"melcodec_cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's own, but an unknown command suggests the one that was probably meant."""
        if args and args[0] not in COMMANDS and args[0][:1] != "-" and not ctx.resilient_parsing:
            raise click.UsageError(f"no such command '{args[0]}'{_meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)


def _meant(word: str) -> str:
    """A question that suggests the command meant by this word, or nothing."""
    if os.path.exists(word):
        meant = "decompress" if word.lower().endswith(".mlc") else "compress"
        return f"; did you mean 'melcodec {meant} {word}'?"
    alike = difflib.get_close_matches(word.lower(), COMMANDS, 1)
    return f"; did you mean '{alike[0]}'?" if alike else ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="melcodec", message="%(prog)s %(version)s")
def program() -> None:
    """A neural speech codec: 250 bit/s at 16 kHz or 700 at 48 kHz, ten seconds of speech in about 350 or 930 bytes.

    \b
    Examples:
      melcodec compress talk.wav            writes talk.wav.mlc
      melcodec decompress talk.wav.mlc      writes talk.wav
      melcodec info talk.wav.mlc
      melcodec compress -o coded/ *.flac    writes into a folder
    """


def run(arguments: list[str]) -> None:
    """Like click's own `main`, which would end the process itself on a closed pipe or Ctrl-C."""
    if "_MELCODEC_COMPLETE" in os.environ:
        program.main(prog_name="melcodec")  # answers a shell's question and exits
    # The context keeps the arguments, because training records them.
    with program.make_context("melcodec", arguments, obj=tuple(arguments)) as context:
        program.invoke(context)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `melcodec` with `arguments` (default: the process's own) and return its exit code."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    fill_gaps()
    try:
        run(sys.argv[1:] if arguments is None else list(arguments))
        # A closed pipe may only be noticed when the last buffer is written.
        sys.stdout.flush()
        return ExitCode.OK
    except click.exceptions.Exit as done:
        return done.exit_code
    except MelcodecError as error:
        return _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        show_document(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        return _fail(_usage_line(error), ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", ExitCode.INTERRUPTED)
    except Terminated:
        return _fail("terminated", ExitCode.TERMINATED)
    except BrokenPipeError:
        # Without this, the interpreter flushes stdout again at exit and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return _fail(reason if error.filename is None else f"{error.filename}: {reason}", ExitCode.INTERNAL)
    except Exception as error:
        return _fail(f"internal error: {type(error).__name__}: {error}", ExitCode.INTERNAL)


def _fail(line: str, code: ExitCode) -> ExitCode:
    """Print `line` on stderr, and the current traceback on request."""
    show_traceback(sys.exc_info()[1])
    say(line)
    return code


def _usage_line(error: click.ClickException) -> str:
    """click's message as one lower-case line that points to the help."""
    sentence = " ".join(error.format_message().split()).rstrip(".")
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "melcodec"
    return f"{sentence[:1].lower()}{sentence[1:]} (see '{where} --help')"


def _raise_terminated(signal_number: int, frame: FrameType | None) -> None:
    # A second SIGTERM ends the process at once, in case clean-up hangs.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
