"""e3nn's normalize2mom: the second moment of a million normal draws."""

PACKAGE = "e3nn"
WHAT = "`e3nn.math.normalize2mom`"
QUANTITY = "forward.rms_gain"
SPECS = ("silu", "relu", "gelu", "sigmoid", "tanh", "elu")


def value(spec: str) -> float:
    import torch
    from e3nn.math import normalize2mom

    return normalize2mom(getattr(torch.nn.functional, spec)).cst
