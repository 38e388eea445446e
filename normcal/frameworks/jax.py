"""JAX: arrays in double precision, and reverse-mode derivatives."""

from __future__ import annotations

from normcal.framework import Framework, Unfit


class Jax(Framework):
    """Arrays of JAX, differentiated by its reverse mode."""

    name = package = "jax"
    title = "a JAX array"
    differentiates = True

    def owns(self, value) -> bool:
        import jax

        return isinstance(value, jax.Array)

    def values(self, function, x, single=False):
        import numpy as np

        with _double():
            found = self._checked(function(_array(x, single)))
            return np.array(found, dtype=float), str(found.dtype)

    def slopes(self, function, x, single=False):
        import jax
        import numpy as np

        with _double():
            found, pull = jax.vjp(lambda given: self._checked(function(given)), _array(x, single))
            if not np.issubdtype(found.dtype, np.floating) and str(found.dtype) != "bfloat16":
                return np.zeros(x.shape)
            (slope,) = pull(jax.numpy.ones_like(found))
            return np.array(slope, dtype=float)

    def _checked(self, found):
        if not self.owns(found):
            raise Unfit("returns nothing" if found is None else f"returns a value of type {type(found).__name__}")
        if found.dtype.kind == "c":
            raise Unfit(f"returns values of type {found.dtype}")
        return found


FRAMEWORK = Jax()


def _array(x, single: bool):
    import jax

    return jax.numpy.asarray(x, dtype="float32" if single else "float64")


def _double():
    """Return a context of this thread alone in which arrays are doubles."""
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64(True)
