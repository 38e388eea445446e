"""The recipe of normaliser-free networks in PyTorch: the mean variance of 1024 rows of 256 sampled values."""

PACKAGE = "torch"
WHAT = "1024 x 256 samples in PyTorch"
QUANTITY = "forward.gain"
_NAMES = {"relu": "relu", "gelu": "gelu", "silu": "silu", "sigmoid": "sigmoid", "tanh": "tanh", "elu": "elu"}
SPECS = tuple(_NAMES)


def value(spec: str) -> float:
    import torch

    torch.manual_seed(0)
    f = getattr(torch.nn.functional, _NAMES[spec])
    return f(torch.randn(1024, 256)).var(dim=1).mean().rsqrt().item()
