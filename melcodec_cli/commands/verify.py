"""`melcodec verify`: checks that files are sound, and locates any damage."""

import click

from melcodec_cli.errors import ExitCode, MelcodecError

DAMAGE_TOLD = 100


@click.command(short_help="Check .mlc files without decoding them.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object per file.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def verify(files: tuple[str, ...], json_lines: bool, quiet: bool) -> None:
    """Check every checksum, length and digest of each FILE ("-" for standard input).

    Needs neither the model nor torch. Damage is reported in seconds of the recording; "melcodec decompress
    --conceal" rescues the rest. The exit status is 0 if everything is sound, 4 for a damaged or truncated file,
    7 for a newer version of the format, and 8 if any of several files failed.

    \b
    Examples:
      melcodec verify talk.wav.mlc
      melcodec verify -q archive/*.mlc && echo all sound
      ssh far cat talk.wav.mlc | melcodec verify -
    """
    from melcodec_cli.codec.inspection import Inspection, damage_json
    from melcodec_cli.report.console import say, show_json, show_line
    from melcodec_cli.report.inspected import inspect_each

    def tell(name: str, inspection: Inspection, failure: MelcodecError | None) -> None:
        if json_lines:
            record = {
                "source": name,
                "status": "failed" if failure else "sound",
                "exit_code": failure.exit_code if failure else ExitCode.OK,
                "error": failure.message if failure else None,
                "mlc_bytes": inspection.size_bytes,
                "duration_s": round(inspection.duration_s, 6),
                "streams": [damage_json(stream) for stream in inspection.streams],
            }
            show_json(record)
        elif failure is not None:
            # Where possible, reading goes on after damage: list the places first, then the failure, which sums up.
            damages = inspection.damage if len(inspection.damage) > 1 or inspection.lost else []
            for damage in damages[:DAMAGE_TOLD]:
                say(f"{name}: {damage}")
            if len(damages) > DAMAGE_TOLD:
                say(
                    f"{name}: and damage in {len(damages) - DAMAGE_TOLD} more places (use --json to show all)"
                )
        elif not quiet:
            chunks = sum(stream.chunks for stream in inspection.streams)
            plural = "" if chunks == 1 else "s"
            facts = f"{inspection.duration_s:.2f} s in {chunks} chunk{plural}, {inspection.size_bytes} bytes"
            show_line(f"{name}: sound: {facts}")

    inspect_each(files, tell)
