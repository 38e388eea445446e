"""normcal audit: what published constants really are."""

from __future__ import annotations

import click

from normcal.commands import _options

DISAGREES, OPEN = 1, 3


@click.command(
    epilog="""\b
Examples:
  normcal audit
  normcal audit --only wrong,other-definition
  normcal audit --format markdown -o audit.md
\b
A file: a list 'constants:' of name, layer, quantity, value; optional samples, mean, std, source.
  normcal audit constants.yaml --fail-on wrong,other-definition,approximation
  normcal audit constants.yaml --format github"""
)
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path())
@click.option("--only", metavar="CLASS,...", help="List these classes alone.")
@click.option(
    "--fail-on",
    metavar="CLASS,...",
    help="End with exit code 1 when a constant is of one of these classes; with 3 when all of those are undecided.",
)
@_options.output
def command(files, only, fail_on, format, digits, output) -> None:
    """Say of published constants what they are: exact, rounded, sampling, another quantity, close, or wrong.

    Without FILE, the collection that ships. Classes, by the rules of docs/auditing.md: wrong,
    other-definition, approximation, undecided, sampling, rounded, exact. Finding them is no
    failure: the exit code is 0 unless --fail-on says otherwise.
    """
    from normcal import audit, collection, verdicts
    from normcal.commands._output import Output

    shown, failing = _classes("--only", only), _classes("--fail-on", fail_on)
    target = Output.checked(format, digits, output)
    judged = audit.audit(collection.groups(files))
    target.write(verdicts.report(judged, shown, page=not files))
    found = {finding.verdict for _, findings in judged for finding in findings} & set(failing)
    if found:
        raise click.exceptions.Exit(OPEN if found == {audit.UNDECIDED} else DISAGREES)


def _classes(option: str, text: str | None) -> tuple[str, ...]:
    """Return the classes that an option lists."""
    from normcal.audit import CLASSES
    from normcal.errors import unknown

    named = tuple(word.strip() for word in (text or "").split(",")) if text is not None else ()
    for word in named:
        if word not in CLASSES:
            raise unknown(f"class of {option}:", word, CLASSES)
    return named
