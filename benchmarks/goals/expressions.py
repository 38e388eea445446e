"""What an expression costs more than the built-in layer that it writes: parsing, kinks, and integrals of its own."""

from __future__ import annotations

import itertools

from benchmarks.goal import Goal
from benchmarks.timing import seconds

ORDER = 35
TITLE = "Expressions"
#: A built-in layer at a number, and the same as an expression; every run takes a number that was not seen before.
_WRITTEN = {
    "mish": ("mish(output_scale={})", "x * tanh(softplus(x)) * {}"),
    "elu": ("elu(alpha={})", "where(x > 0, x, {} * expm1(x))"),
    "hardshrink": ("hardshrink(lambd={})", "where(abs(x) > {}, x, 0)"),
    "hardswish": ("hardswish(output_scale={})", "x * clip(x + 3, 0, 6) / 6 * {}"),
    "squareplus": ("squareplus(b={})", "(x + sqrt(x**2 + {})) / 2"),
}
_GOALS = {
    name: Goal(f"`{text.format('c')}` more than `{name}`, warm", "s", f"`{name}`", most=0.02, absolute=True)
    for name, (_, text) in _WRITTEN.items()
}
GOALS = tuple(_GOALS.values())
_NUMBERS = itertools.count(1)


def measure(budget):
    import normcal

    for name, (builtin, text) in _WRITTEN.items():
        pairs = []
        for _ in range(budget.runs(20) + 1):
            number = f"{1.0 + next(_NUMBERS) * 1e-7:.7f}"
            specs = builtin.format(number), f'expr("{text.format(number)}")'
            pairs.append([seconds(lambda spec=spec: normcal.compute(spec)) for spec in specs])
        plain, written = map(min, zip(*pairs[1:], strict=True))
        yield _GOALS[name].found(max(written - plain, 0.0), plain)
