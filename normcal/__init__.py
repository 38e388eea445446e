"""normcal: mean and standard deviation of neural-network layers under Gaussian input.

>>> import normcal
>>> found = normcal.compute("gelu")
>>> round(float(found.forward.std), 12), found.forward.engine
(0.587914969213, 'closed-form')
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers read as true; importing typing would cost more than the whole package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from normcal.layer import Layer
    from normcal.result import LayerResult, Result

__all__ = ["compute", "table"]
__version__ = "0.1.0"


def compute(spec: str | Layer | Callable, **options: Any) -> LayerResult:
    r"""Return mean, std and gains of one layer, forward and backward.

    Forward: of one entry of :math:`y = f(x)` with :math:`x \sim N(\mathrm{mean}, \mathrm{std}^2)`
    entrywise. Backward: of one entry of :math:`dx = J(x)^T dy` with :math:`dy \sim N(0, 1)`.

    Parameters
    ----------
    spec: a SPEC such as ``"leaky_relu(negative_slope=0.2)"``, a layer from ``normcal.catalog.layer(SPEC)``, or a
        function of an array of NumPy, PyTorch or JAX; Python code that a SPEC names is loaded.
    options: those of the command line: ``mean``, ``std``, ``direction``, ``engine``, ``tol``,
        ``input``, ``gradient_mean``, ``gradient_std``, ``correlation``, ``samples``, ``seed``, ``sampler``, ``rtol``,
        ``workers``, ``executor``, ``cluster``.

    Returns
    -------
    The LayerResult that the renderers read: ``.forward`` and ``.backward`` are Estimates (None for a
    direction not asked for), whose ``.mean``, ``.std``, ``.rms``, ``.gain`` and ``.rms_gain`` are
    Values: ``.value``, the absolute ``.error`` (a bound, an estimate or one standard error; ``.error_kind`` says
    which), and ``float(...)`` of them. ``.backward.inputs`` and ``.backward.weights`` hold the
    figures of several inputs and of learned weights by name.

    Raises
    ------
    NormcalError: for an unknown layer, parameter or option, with what would be accepted.

    Examples
    --------
    >>> relu = compute("relu")
    >>> round(relu.forward.mean.value, 12), relu.forward.mean.error < 1e-14
    (0.398942280401, True)
    >>> round(relu.jacobian_factor.value, 12)
    1.211173896236
    >>> own = compute(lambda x: x / (1.0 + abs(x)), std=2.0)
    >>> round(own.forward.std.value, 9), own.forward.error_kind
    (0.56843145, 'estimate')
    """
    from normcal import catalog, pipeline

    chosen = catalog.layer(spec, code=True) if isinstance(spec, str) else _a_layer(spec)
    return _whole(pipeline.run(_request(options), [chosen])).layers[0]


def table(specs: list[str], **options: Any) -> Result:
    """Return a Result with a row for each layer that the SPECs stand for; sweeps and wildcards expand in order.

    Parameters and errors are those of ``compute``; ``result.layers`` are LayerResults and
    ``result.data()`` is the document that ``--format json`` writes.

    >>> found = table(["relu", "leaky_relu(negative_slope=[0.1, 0.2])"])
    >>> [row.layer.spec for row in found.layers]
    ['relu', 'leaky_relu(negative_slope=0.1)', 'leaky_relu(negative_slope=0.2)']
    """
    from normcal import catalog, pipeline

    return _whole(pipeline.run(_request(options), catalog.layers(_texts(specs), code=True)))


def _whole(result: Result) -> Result:
    """Return a result that is not cut short; pass on what cut it."""
    if result.interrupted:
        raise result.cause or KeyboardInterrupt
    return result


def _a_layer(value: Any) -> Layer:
    from normcal.errors import RequestError, echo
    from normcal.layer import Layer

    if isinstance(value, Layer):
        return value
    if not callable(value) or (isinstance(value, type) and issubclass(value, Layer)):
        accepted = "Accepted: a SPEC such as 'relu', a Layer, or a function of an array."
        raise RequestError(f"spec cannot be {echo(value)}.", accepted)
    from normcal import catalog

    return catalog.find("callable")(value)


def _texts(specs: Any) -> list[str]:
    from normcal.errors import RequestError, echo

    if not isinstance(specs, (list, tuple)) or not all(isinstance(text, str) for text in specs):
        raise RequestError(f"specs cannot be {echo(specs)}.", "Accepted: a list of SPECs, such as ['relu', 'gelu'].")
    return list(specs)


def _request(options: dict[str, Any]):
    from normcal.errors import unknown
    from normcal.request import WHOLE, Request

    for name in options:
        if name not in Request.names():
            raise unknown("option", name, Request.names())
    whole = {k: int(v) for k, v in options.items() if k in WHOLE and isinstance(v, float) and v.is_integer()}
    return Request().updated(options | whole)
