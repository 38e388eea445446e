"""DKS and TAT: E f^2 on 100,000 Gauss-Legendre nodes, as their Q maps compute it."""

PACKAGE = "dks"
WHAT = "the Gaussian mean behind the Q maps of `dks`"
QUANTITY = "forward.rms_gain"
_NAMES = {"relu": "relu", "gelu": "gelu_exact", "silu": "swish", "sigmoid": "sigmoid", "tanh": "tanh", "elu": "elu"}
SPECS = tuple(_NAMES)


def value(spec: str) -> float:
    from dks.base import activation_getter, activation_transform

    f = activation_getter.get_activation_function(_NAMES[spec])
    return activation_transform._estimate_gaussian_mean(lambda x: f(x) ** 2) ** -0.5
