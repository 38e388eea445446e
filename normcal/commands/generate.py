"""normcal generate: the files of constants that a config names."""

from __future__ import annotations

import click

from normcal.commands import _checks


@click.command(
    epilog="""\b
Examples:
  normcal generate
  normcal generate configs/constants.yaml --root .
  normcal generate --check"""
)
@_checks.config
@_checks.root
@click.option("--check", is_flag=True, help="Write nothing; say what would change, as 'normcal check' does.")
def command(config, root, check) -> None:
    """Write every file that a config names below 'outputs'; by default the config normcal.yaml.

    A number in a file that still agrees within its error stays as it is, and so does a file in which
    everything agrees. Files are written whole or not at all, once all of them are computed.
    """
    import os

    from normcal import checking, generation
    from normcal import config as configs
    from normcal import output as outputs
    from normcal.commands._progress import Progress
    from normcal.errors import FileError

    path = config or checking.CONFIG
    if check:
        _checks.run([path], root)
        return
    try:
        chosen = configs.read(path)
    except FileError as error:
        by_default = f"By default the config is {checking.CONFIG} in the current folder."
        raise FileError(error.message, error.hint if config or os.path.exists(path) else by_default) from None
    with Progress() as progress:
        plans = generation.plan(outputs.outputs(chosen, root), progress)
    generation.write(plans)
    for plan in plans:
        click.echo(f"{plan.status:<9}  {plan.output.path}")
