"""Periodic activations: sine, cosine, snake and sinusoidal features, all with exact Gaussian moments."""

from __future__ import annotations

from normcal.layer import Elementwise, Param, Reference

_SIREN = Reference("Sitzmann et al. 2020, Implicit Neural Representations", "arXiv:2006.09661")


class Sin(Elementwise):
    """The sine; siren stands for sin(30 x), the first layer of a SIREN."""

    name = "sin"
    aliases = ("sine",)
    presets = {"siren": {"input_scale": 30.0}}
    formula, latex = "sin(x)", r"\sin(x)"
    moments = (
        ("forward mean", "exp(−σ²/2) sin μ", r"e^{-\sigma^2/2}\sin\mu"),
        (
            "forward std",
            "√((1 − v)/2 (1 − v + 2v cos² μ)), v = exp(−σ²)",
            r"\sqrt{\tfrac{1-v}{2}(1 - v + 2v\cos^2\mu)},\ v = e^{-\sigma^2}",
        ),
        ("backward std", "√((1 − v²)/2 + v² cos² μ)", r"\sqrt{(1-v^2)/2 + v^2\cos^2\mu}"),
    )
    references = (_SIREN,)

    def f(self, x, m):
        return m.sin(x)

    def closed_forward(self, law, m):
        wave = _Wave(law, 1.0, m)
        return wave.sin * wave.damping, wave.spread(wave.cos)

    def closed_backward(self, law, m):
        wave = _Wave(law, 1.0, m)
        return wave.size(wave.cos)

    def closed_dual(self, mean, std, c, m):
        apart, together = _waves(mean, std, c, m)
        return apart - together


class Cos(Elementwise):
    """The cosine."""

    name = "cos"
    aliases = ("cosine",)
    formula, latex = "cos(x)", r"\cos(x)"
    moments = (
        ("forward mean", "exp(−σ²/2) cos μ", r"e^{-\sigma^2/2}\cos\mu"),
        (
            "forward std",
            "√((1 − v)/2 (1 − v + 2v sin² μ)), v = exp(−σ²)",
            r"\sqrt{\tfrac{1-v}{2}(1 - v + 2v\sin^2\mu)},\ v = e^{-\sigma^2}",
        ),
        ("backward std", "√((1 − v²)/2 + v² sin² μ)", r"\sqrt{(1-v^2)/2 + v^2\sin^2\mu}"),
    )
    references = (Reference("Rahimi & Recht 2007, Random Features for Large-Scale Kernel Machines"), _SIREN)

    def f(self, x, m):
        return m.cos(x)

    def closed_forward(self, law, m):
        wave = _Wave(law, 1.0, m)
        return wave.cos * wave.damping, wave.spread(wave.sin)

    def closed_backward(self, law, m):
        wave = _Wave(law, 1.0, m)
        return wave.size(wave.sin)

    def closed_dual(self, mean, std, c, m):
        apart, together = _waves(mean, std, c, m)
        return apart + together


def _waves(mean, std, c, m):
    """Return E cos(u - v)/2 and E cos(u + v)/2, whose variances are 2(1 - c) and 2(1 + c) of the std's square."""
    from normcal.numerics.balls import BALLS

    square = std * std
    apart, together = m.exp((c - 1.0) * square), m.exp(-(c + 1.0) * square)
    return apart * 0.5, together * (BALLS.cos(mean * 2.0) * 0.5)


class Snake(Elementwise):
    r"""The identity with ripples; the moments follow from :math:`\sin^2 u = (1 - \cos 2u)/2`."""

    name = "snake"
    params = (Param("alpha", 1.0, "(0, inf)", "frequency α of the ripples", typical=(0.5, 1.0, 5.0)),)
    formula, latex = "x + sin²(α x)/α", r"x + \tfrac1\alpha\sin^2(\alpha x)"
    moments = (
        ("forward mean", "μ + (1 − e cos 2αμ)/(2α), e = exp(−2α²σ²)", r"\mu + (1 - e\cos 2\alpha\mu)/(2\alpha)"),
        (
            "forward variance",
            "σ² + 2σ² e sin 2αμ + Var cos(2αx)/(4α²)",
            r"\sigma^2 + 2\sigma^2 e\sin 2\alpha\mu + \operatorname{Var}\cos(2\alpha x)/(4\alpha^2)",
        ),
        ("backward second moment", "1 + 2e sin 2αμ + E sin²(2αx)", r"1 + 2e\sin 2\alpha\mu + E\sin^2(2\alpha x)"),
    )
    references = (Reference("Ziyin et al. 2020, Neural Networks Fail to Learn Periodic Functions", "arXiv:2006.08195"),)

    @property
    def features(self):
        return ((0.0, 1.0 / self.alpha),)

    def f(self, x, m):
        return x + m.sin(self.alpha * x) ** 2 / self.alpha

    def closed_forward(self, law, m):
        wave = _Wave(law, 2.0 * self.alpha, m)
        half = m.sin(self.alpha * wave.mean)
        mean = law.mean + (wave.lost + 2.0 * wave.damping * half * half) / (2.0 * self.alpha)
        ripples = wave.spread(wave.sin) / (2.0 * self.alpha)
        variance = (1.0 + 2.0 * wave.damping * wave.sin) * wave.variance + ripples * ripples
        return mean, m.sqrt(variance)

    def closed_backward(self, law, m):
        wave = _Wave(law, 2.0 * self.alpha, m)
        ripples = wave.size(wave.sin)
        return m.sqrt(1.0 + 2.0 * wave.damping * wave.sin + ripples * ripples)


class SinusoidalFeatures(Elementwise):
    """Sine and cosine of one frequency side by side, twice as many outputs."""

    name = "sinusoidal_features"
    aliases = ("fourier_features",)
    params = (Param("frequency", 1.0, "(0, inf)", "angular frequency ω", typical=(0.5, 1.0, 6.0)),)
    formula, latex = "sin(ω x) and cos(ω x)", r"(\sin\omega x, \cos\omega x)"
    moments = (
        ("forward mean", "e (sin ωμ + cos ωμ)/2, e = exp(−ω²σ²/2)", r"\tfrac{e}{2}(\sin\omega\mu+\cos\omega\mu)"),
        ("forward rms", "√(1/2)", r"\sqrt{1/2}"),
        ("backward std", "ω", r"\omega"),
    )
    assumptions = ("moments are over both outputs; each has a gradient of its own",)
    references = (
        Reference(
            "Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions", "arXiv:2006.10739"
        ),
    )

    @property
    def features(self):
        return ((0.0, 1.0 / self.frequency),)

    def f(self, x, m):
        return m.sin(self.frequency * x)

    def branches(self):
        return (self.f, lambda x, m: m.cos(self.frequency * x))

    def closed_forward(self, law, m):
        from normcal.numerics.balls import root_of_squares

        wave = _Wave(law, self.frequency, m)
        between = (wave.sin - wave.cos) * wave.damping
        within = [(0.5, wave.spread(wave.cos)), (0.5, wave.spread(wave.sin))]
        return (wave.sin + wave.cos) * wave.damping * 0.5, root_of_squares([*within, (0.25, between)])

    def closed_backward(self, law, m):
        from normcal.numerics.balls import Ball

        return Ball(self.frequency)


class _Wave:
    r"""Sine and cosine of :math:`\omega x` at the mean, and how much the std damps them."""

    def __init__(self, law, frequency: float, m) -> None:
        from normcal.numerics.balls import Ball

        self.m, self.mean = m, Ball(law.mean)
        self.variance = Ball(law.std) * law.std
        self.phase = self.variance * frequency * frequency
        at = self.mean if frequency == 1.0 else self.mean * frequency
        self.sin, self.cos = m.sin(at), m.cos(at)
        self.damping, self.lost = m.exp(self.phase * -0.5), -m.expm1(self.phase * -0.5)

    def spread(self, slope):
        r"""Return the std of the wave whose derivative at the mean is ``slope``, up to its sign."""
        m = self.m
        gone = -m.expm1(-self.phase)
        return m.sqrt(gone * 0.5) * m.sqrt(gone + 2.0 * m.exp(-self.phase) * slope * slope)

    def size(self, value):
        """Return the root mean square of the wave whose value at the mean is ``value``."""
        m = self.m
        return m.sqrt(-m.expm1(self.phase * -2.0) * 0.5 + m.exp(self.phase * -2.0) * value * value)
