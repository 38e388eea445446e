"""From the shell: the first number, against the imports that nobody can do without."""

from __future__ import annotations

from benchmarks.goal import Goal
from benchmarks.timing import Shell, imports

ORDER = 10
TITLE = "Cold start"
_CLICK, _NUMPY = ("click",), ("numpy", "click", "rich.table")
#: words of the command -> what the yardstick imports
_CASES = {
    ("--help",): _CLICK,
    ("compute", "relu"): _NUMPY,
    ("compute", "gelu"): _NUMPY,
    ("compute", "max_pool(kernel_size=3)"): _NUMPY,
    ("compute", "sigmoid", "--direction", "backward"): _NUMPY,
}
_STARTS = {
    words: Goal(f"`normcal {' '.join(words)}`", yardstick=f"import {', '.join(modules)}", most=1.5)
    for words, modules in _CASES.items()
}
_WRITTEN = Goal("files that these commands leave in a fresh home", unit="", most=0.0, absolute=True)
GOALS = (*_STARTS.values(), _WRITTEN)


def measure(budget):
    with Shell() as shell:
        for words, modules in _CASES.items():
            yield _STARTS[words].found(*shell.fastest(budget.runs(11), shell.normcal(*words), imports(*modules)))
        yield _WRITTEN.found(len(shell.written()))
