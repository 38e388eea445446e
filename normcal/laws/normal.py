"""The normal law by name."""

from __future__ import annotations

from normcal.errors import RequestError, echo, unknown
from normcal.law import PLAIN
from normcal.law import Normal as _Normal
from normcal.laws._base import LARGEST, REAL
from normcal.param import Param
from normcal.spec import write


class Normal:
    """N(mean, std²), which --mean and --std say too."""

    name = "normal"
    params = (
        Param("mean", 0.0, REAL, "its mean"),
        Param("std", 1.0, "[0, inf)", "its std; 0 is a constant input"),
    )
    reads = False

    @classmethod
    def made(cls, args, params, mean=None, std=None, gradient=PLAIN, folder=""):
        known = {param.name: param for param in cls.params}
        if args:
            raise RequestError(f"{echo(write(cls.name, params, args))}: normal takes its parameters by name.")
        for name in params:
            if name not in known:
                raise unknown("parameter of normal:", name, known)
        if params and (mean is not None or std is not None):
            raise RequestError(
                f"{write(cls.name, params)} has a mean and a std of its own; --mean and --std do not go with it.",
                "Accepted: one or the other.",
            )
        values = {name: param.accept(params.get(name, param.default), cls.name) for name, param in known.items()}
        if mean is not None or std is not None:
            values = {"mean": 0.0 if mean is None else float(mean), "std": 1.0 if std is None else float(std)}
        if max(map(abs, values.values())) > LARGEST * LARGEST:
            raise RequestError(f"{write(cls.name, values)} is beyond {LARGEST * LARGEST:g}.")
        return _Normal(values["mean"] + 0.0, values["std"] + 0.0, gradient)


LAW = Normal
