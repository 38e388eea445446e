"""PyTorch's recommended gains: constants that are written into its source, some of them exact."""

PACKAGE = "torch"
WHAT = "`torch.nn.init.calculate_gain`, a table of recommendations"
QUANTITY = "forward.rms_gain"
SPECS = ("relu", "leaky_relu(negative_slope=0.2)", "tanh")
_CALLS = dict(zip(SPECS, (("relu",), ("leaky_relu", 0.2), ("tanh",)), strict=True))


def value(spec: str) -> float:
    from torch.nn.init import calculate_gain

    return calculate_gain(*_CALLS[spec])
