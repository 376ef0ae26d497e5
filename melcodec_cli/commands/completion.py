"""`melcodec completion`: lets a shell complete commands, options and file names."""

import click
from click.shell_completion import get_completion_class

from melcodec_cli.report.console import show_document


@click.command(short_help="Print a script for shell completion.")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL (bash, zsh or fish) complete melcodec's commands and options.

    \b
    Examples:
      eval "$(melcodec completion bash)"        for this session; or in ~/.bashrc
      eval "$(melcodec completion zsh)"         in ~/.zshrc
      melcodec completion fish > ~/.config/fish/completions/melcodec.fish
    """
    program = ctx.find_root().command
    completer = get_completion_class(shell)
    assert completer is not None  # SHELL is one of the three that click knows
    show_document(completer(program, {}, "melcodec", "_MELCODEC_COMPLETE").source())
