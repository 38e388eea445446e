"""normcal check: whether generated files still hold what they should."""

from __future__ import annotations

import click

from normcal.commands import _checks, _options


@click.command(
    epilog="""\b
Examples:
  normcal check
  normcal check src/gains.py
  normcal check configs/constants.yaml --root . --format github"""
)
@click.argument("files", nargs=-1, metavar="[CONFIG | FILE]...", type=click.Path())
@_checks.root
@_options.output
def command(files, root, format, digits, output) -> None:
    """Compute generated files anew and compare, number by number, within the combined errors.

    Names a config, by default normcal.yaml, or files that normcal generated. Nothing is written.
    Exit code 0: all agree; 1: something disagrees, is missing or surplus; 3: undecided, the errors
    are too wide to tell.
    """
    _checks.run(list(files), root, format, digits, output)
