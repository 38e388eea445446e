"""Whole tables, in a running interpreter and from the shell, against the bare rule and the imports."""

from __future__ import annotations

from benchmarks import quadrature
from benchmarks.goal import Goal
from benchmarks.timing import Shell, fastest, imports

ORDER = 20
TITLE = "Whole tables"
_BARE = f"the bare rule on {len(quadrature.ACTIVATIONS)} activations"
_ELEMENTWISE = Goal("every elementwise layer, both directions, with bounds", yardstick=f"{_BARE}, scaled", most=10.0)
_EACH = Goal("the same, an activation", yardstick="the bare rule, an activation")
_APART = Goal("the bare rule against normcal, largest relative difference", unit="", most=1e-13, absolute=True)
_TABLE = Goal("the default table, in process", yardstick=f"{_BARE}, scaled", most=0.5, absolute=True)
_SLOWEST = Goal("its slowest layer, alone", yardstick="the whole table")
_SHELL = Goal("`normcal table`", yardstick="import numpy, click, rich.table", most=1.0, absolute=True)
GOALS = (_ELEMENTWISE, _EACH, _APART, _TABLE, _SLOWEST, _SHELL)


def measure(budget):
    from normcal import catalog, config, pipeline
    from normcal.layer import Elementwise
    from normcal.request import Request

    request = Request()
    layers = [cls() for cls in catalog.classes().values() if issubclass(cls, Elementwise)]
    table = config.layers(config.read(None))
    mine, bare = fastest(budget.runs(25), lambda: pipeline.run(request, layers), quadrature.table)
    each = bare / len(quadrature.ACTIVATIONS)
    note = f"{len(layers)} layers"
    yield _ELEMENTWISE.found(mine, each * len(layers), note)
    yield _EACH.found(mine / len(layers), each)
    yield _APART.found(_apart(pipeline.run(request, catalog.layers(list(quadrature.ACTIVATIONS)))))
    whole, bare = fastest(budget.runs(5), lambda: pipeline.run(request, table), quadrature.table)
    yield _TABLE.found(whole, bare / len(quadrature.ACTIVATIONS) * len(table), f"{len(table)} layers")
    alone = [(fastest(1, lambda one=one: pipeline.run(request, [one]))[0], one.spec) for one in table]
    yield _SLOWEST.found(max(alone)[0], whole, max(alone)[1])
    with Shell() as shell:
        yield _SHELL.found(
            *shell.fastest(budget.runs(5), shell.normcal("table"), imports("numpy", "click", "rich.table"))
        )


def _apart(result) -> float:
    """Return how far the bare rule is from normcal, relative to E f^2 or E f'^2: it must do its work."""
    worst = 0.0
    for row, (mean, square, slope) in zip(result.layers, quadrature.table().values(), strict=True):
        rms, backward = row.forward.rms.value, row.backward.rms.value
        off = (mean - row.forward.mean.value) / rms, square / rms**2 - 1.0, slope / backward**2 - 1.0
        worst = max(worst, *map(abs, off))
    return worst
