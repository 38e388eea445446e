"""Activations whose output has mean 0 and std 1 if their input has: the constants come from gains.py."""

import math

from gains import GAINS


def relu(x: float) -> float:
    return max(0.0, x)


def gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


def normalised(function, x: float) -> float:
    """Return an activation, shifted and scaled by the constants under its name."""
    constants = GAINS[function.__name__]
    return (function(x) + constants["offset"]) * constants["gain"]


if __name__ == "__main__":
    for function in (relu, gelu):
        print(function.__name__, normalised(function, 1.0))
