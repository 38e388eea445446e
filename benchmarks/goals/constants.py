"""Files of constants from a cold start: check, generate, identify and audit, against the imports."""

from __future__ import annotations

import os

from benchmarks.goal import Goal
from benchmarks.timing import Shell, imports

ORDER = 110
TITLE = "Files of constants"
_YARDSTICK = "import numpy, click, rich.table"
#: 200 constants: two quantities of a hundred layers.
_CONFIG = """
outputs:
  - path: gains.py
    columns: [forward.gain, backward.gain]
    layers: [relu, gelu, silu, tanh, sigmoid, mish, softplus, elu, selu, hardswish,
             "leaky_relu(negative_slope=[{slopes}])", "elu(alpha=[{slopes}])"]
"""
_CASES = {
    ("check",): Goal("`normcal check` of 200 constants", yardstick=_YARDSTICK, most=2.0, absolute=True),
    ("generate",): Goal("`normcal generate` of 200 constants, unchanged", yardstick=_YARDSTICK),
    ("identify", "1.679176792"): Goal("`normcal identify 1.679176792`", yardstick=_YARDSTICK, most=1.0, absolute=True),
    ("audit",): Goal("`normcal audit` of the collection", yardstick=_YARDSTICK),
}
GOALS = tuple(_CASES.values())


def measure(budget):
    with Shell() as shell:
        with open(os.path.join(shell.work, "normcal.yaml"), "w", encoding="utf-8") as stream:
            stream.write(_CONFIG.format(slopes=", ".join(f"0.{i:02d}" for i in range(1, 46))))
        shell.run(shell.normcal("generate"))
        for words, goal in _CASES.items():
            mine, its = shell.fastest(budget.runs(3), shell.normcal(*words), imports("numpy", "click", "rich.table"))
            yield goal.found(mine, its)
