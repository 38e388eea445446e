"""What generate and check share: the config, the folder that files must stay in, and the check itself."""

from __future__ import annotations

import click

UNDECIDED_CODE = 3


def _complete(ctx, param, start: str) -> list:
    from click.shell_completion import CompletionItem

    return [CompletionItem(start, type="file")]


config = click.argument("config", required=False, metavar="[CONFIG]", shell_complete=_complete)
root = click.option(
    "--root",
    type=click.Path(),
    metavar="FOLDER",
    help="The folder that paths start from and must stay in.  [default: the config's own]",
)


def run(paths: list[str], root: str | None, format=None, digits=None, output=None) -> None:
    """Check configs and files, report, and end with the code that says how it went."""
    from normcal import checking
    from normcal.commands._output import Output
    from normcal.commands._progress import Progress
    from normcal.comparison import DISAGREE, UNDECIDED

    target = Output.checked(format, digits, output)
    found = checking.targets(paths, root)
    with Progress() as progress:
        checked = checking.check(found, progress)
    target.write(checking.report(checked))
    code = {DISAGREE: 1, UNDECIDED: UNDECIDED_CODE}.get(checking.verdict(checked), 0)
    if code:
        raise click.exceptions.Exit(code)
