"""PyTorch: tensors, modules and their autograd."""

from __future__ import annotations

import copy
import inspect

from normcal.framework import Framework, Unfit


class Torch(Framework):
    """Tensors of PyTorch, differentiated by its autograd."""

    name = package = "torch"
    title = "a PyTorch tensor"
    differentiates = True

    def owns(self, value) -> bool:
        import torch

        return isinstance(value, torch.Tensor)

    def claims(self, function) -> bool:
        import torch

        return isinstance(function, torch.nn.Module) or (
            inspect.isclass(function) and issubclass(function, torch.nn.Module)
        )

    def prepared(self, function):
        """Return a module as a copy in double precision: its parameters are what they are, and its rounding is not."""
        return copy.deepcopy(function).double() if self.claims(function) else function

    def values(self, function, x, single=False):
        import torch

        with torch.no_grad():
            found = _checked(function(_tensor(x, single)))
        return found.to(torch.float64).cpu().numpy(), _dtype(found)

    def slopes(self, function, x, single=False):
        import torch

        with torch.enable_grad():
            given = _tensor(x, single).requires_grad_()
            found = _checked(function(given.clone()))  # a function may work in place, but not on a leaf
            if not found.requires_grad:
                return torch.zeros(x.shape, dtype=torch.float64).numpy()
            (slope,) = torch.autograd.grad(found.sum(), given, allow_unused=True)
        if slope is None:
            return torch.zeros(x.shape, dtype=torch.float64).numpy()
        return slope.to(torch.float64).cpu().numpy()


FRAMEWORK = Torch()


def _tensor(x, single: bool):
    import torch

    return torch.tensor(x, dtype=torch.float32 if single else torch.float64)


def _checked(found):
    import torch

    if not isinstance(found, torch.Tensor):
        raise Unfit("returns nothing" if found is None else f"returns a value of type {type(found).__name__}")
    if found.is_complex():
        raise Unfit(f"returns values of type {_dtype(found)}")
    return found


def _dtype(found) -> str:
    return str(found.dtype).removeprefix("torch.")
