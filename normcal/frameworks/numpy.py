"""NumPy: what a function works on unless it says otherwise."""

from __future__ import annotations

from normcal.framework import Framework, Unfit


class NumPy(Framework):
    """Arrays of NumPy; it does not differentiate."""

    name = package = "numpy"
    title = "a NumPy array"

    def owns(self, value) -> bool:
        import numpy as np

        return isinstance(value, (np.ndarray, np.generic))

    def values(self, function, x, single=False):
        import numpy as np

        found = function(x.astype(np.float32 if single else float))
        if isinstance(found, (bool, int, float)):
            found = np.float64(found)
        if not self.owns(found):
            raise Unfit(f"returns {_described(found)}")
        if found.dtype.kind not in "biuf":
            raise Unfit(f"returns values of type {found.dtype}")
        return np.asarray(found).astype(float), str(found.dtype)


FRAMEWORK = NumPy()


def _described(value) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
