"""The law of a layer's input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Normal:
    """Independent entries from N(mean, std^2); ``std = 0`` is the constant ``mean``."""

    mean: float = 0.0
    std: float = 1.0

    def sample(self, rng, shape):
        """Draw an array of ``shape``; every simulator gets its input here."""
        x = rng.standard_normal(shape)
        if self.std != 1.0:
            x *= self.std
        if self.mean != 0.0:
            x += self.mean
        return x

    def incoming(self, rng, shape, x=None):
        """Draw the incoming gradient; every simulator gets its dy here, and says which input it belongs to."""
        return rng.standard_normal(shape)

    def data(self) -> dict:
        return {"law": "normal", "mean": self.mean, "std": self.std}

    def __str__(self) -> str:
        return f"N({self.mean:.12g}, {self.std:.12g}^2)" if self.std != 1.0 else f"N({self.mean:.12g}, 1)"


STANDARD = Normal()
