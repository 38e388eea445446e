"""``python -m docs.pictures``: draws the pictures of layers on these pages, each by a ``normcal plot`` command."""

from __future__ import annotations

import pathlib

from normcal.cli import group

IMAGES = pathlib.Path(__file__).parent / "images"
#: file in images/ -> what is behind ``normcal plot``
PICTURES = {
    "activations.svg": ["relu", "gelu", "tanh"],
    "slopes.svg": [
        "leaky_relu(negative_slope=[0, 0.2, 0.5])", "--panels", "std,mean", "--columns", "forward.mean,backward.gain",
    ],
    "jumps.svg": ["sign", "hard_shrink", "quantiser(bits=3, clip=2)", "--panels", "function,derivative"],
    "sampled.svg": [
        "softmax(n=10)", "max_pool(kernel_size=2)", "--engine", "monte-carlo", "--samples", "500",
        "--panels", "std", "--columns", "forward.std,backward.gain", "--std", "0.1:10:21:log",
    ],
    "kernels.svg": ["relu", "gelu", "tanh", "--panels", "kernel"],
}  # fmt: skip


def draw(name: str, folder: pathlib.Path = IMAGES) -> pathlib.Path:
    """Draw one picture into a folder and return its path."""
    path = folder / name
    group.main(["plot", *PICTURES[name], "-o", str(path)], prog_name="normcal", standalone_mode=False)
    return path


if __name__ == "__main__":
    for picture in PICTURES:
        draw(picture)
