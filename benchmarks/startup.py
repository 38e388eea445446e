"""Cold start of normcal commands, as ratios to the imports that they cannot do without."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

CLICK = [sys.executable, "-c", "import click"]
NUMPY = [sys.executable, "-c", "import numpy, click, rich.table"]
NORMCAL = [sys.executable, "-m", "normcal"]
CASES = [
    ("--help", [*NORMCAL, "--help"], CLICK, 1.5),
    ("compute relu", [*NORMCAL, "compute", "relu"], NUMPY, 1.5),
    ("compute gelu", [*NORMCAL, "compute", "gelu"], NUMPY, 1.5),
    ("compute sigmoid --direction backward", [*NORMCAL, "compute", "sigmoid", "--direction", "backward"], NUMPY, 1.5),
    ("table", [*NORMCAL, "table"], NUMPY, None),
]


def seconds(command: list[str], compiled: str) -> float:
    """Return the wall time of one run, bytecode kept in the folder ``compiled`` as an installation keeps it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=kept | {"PYTHONPYCACHEPREFIX": compiled},
    )
    return time.perf_counter() - start


def main(runs: int = 21) -> None:
    """Interleave command and yardstick, and print the ratio of their medians."""
    with tempfile.TemporaryDirectory() as compiled:
        measure(runs, compiled)


def measure(runs: int, compiled: str) -> None:
    """Print a line for each case."""
    for name, command, yardstick, target in CASES:
        seconds(command, compiled), seconds(yardstick, compiled)
        pairs = [(seconds(command, compiled), seconds(yardstick, compiled)) for _ in range(runs)]
        mine, its = (statistics.median(column) for column in zip(*pairs, strict=True))
        wanted = f"  (target {target})" if target else ""
        print(f"{name:40} {1e3 * mine:6.0f} ms   yardstick {1e3 * its:5.0f} ms   ratio {mine / its:.2f}{wanted}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
