"""neural-tangents: the kernel of one activation at an input of unit second moment."""

PACKAGE = "neural_tangents"
WHAT = "the kernel of `neural_tangents.stax`"
QUANTITY = "forward.rms_gain"
_NAMES = {"relu": "Relu", "gelu": "Gelu", "erf": "Erf", "sin": "Sin", "abs": "Abs"}
SPECS = tuple(_NAMES)


def value(spec: str) -> float:
    import jax.numpy as jnp
    from neural_tangents import stax

    _, _, kernel = stax.serial(stax.Dense(1), getattr(stax, _NAMES[spec])())
    return float(kernel(jnp.ones((1, 4)), None, "nngp")[0, 0]) ** -0.5
