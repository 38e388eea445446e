"""Check, generate, audit and identify from a cold start, beside the imports that they cannot do without."""

import os
import pathlib
import statistics
import sys
import tempfile

from benchmarks.startup import NORMCAL, NUMPY, seconds

#: 200 constants: two quantities of a hundred layers.
CONFIG = """
outputs:
  - path: gains.py
    columns: [forward.gain, backward.gain]
    layers: [relu, gelu, silu, tanh, sigmoid, mish, softplus, elu, selu, hardswish,
             "leaky_relu(negative_slope=[{slopes}])", "elu(alpha=[{slopes}])"]
"""
SLOPES = ", ".join(f"0.{i:02d}" for i in range(1, 46))
CASES = [
    ("check of 200 constants", ["check"], 2.0),
    ("generate of 200 constants, unchanged", ["generate"], None),
    ("identify 1.679176792", ["identify", "1.679176792"], 1.0),
    ("audit of the collection", ["audit"], None),
]


def main(runs: int = 7) -> None:
    """Interleave command and yardstick in a folder with a config, and print medians and their ratio."""
    with tempfile.TemporaryDirectory() as compiled, tempfile.TemporaryDirectory() as folder:
        root = str(pathlib.Path(__file__).resolve().parent.parent)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        os.chdir(folder)
        pathlib.Path("normcal.yaml").write_text(CONFIG.format(slopes=SLOPES), encoding="utf-8")
        seconds([*NORMCAL, "generate"], compiled)
        for name, words, target in CASES:
            seconds([*NORMCAL, *words], compiled), seconds(NUMPY, compiled)
            pairs = [(seconds([*NORMCAL, *words], compiled), seconds(NUMPY, compiled)) for _ in range(runs)]
            mine, its = (statistics.median(column) for column in zip(*pairs, strict=True))
            wanted = f"  (target {target:g} s)" if target else ""
            print(f"{name:40} {mine:6.2f} s   yardstick {its:5.2f} s   ratio {mine / its:.2f}{wanted}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
