"""Wavelets as activations: they are local, and odd or even."""

from normcal.layer import Elementwise, Param, Reference


class MexicanHat(Elementwise):
    """The negative second derivative of the Gaussian, the Mexican hat."""

    name = "mexican_hat"
    aliases = ("ricker",)
    formula, latex = "(1 − x²) exp(−x²/2)", r"(1 - x^2)\,e^{-x^2/2}"
    references = (Reference("Ricker 1953, The form and laws of propagation of seismic wavelets, Geophysics 18"),)

    def f(self, x, m):
        return (1.0 - x * x) * m.exp(x * x * -0.5)


class Morlet(Elementwise):
    """A cosine in a Gaussian window, the real Morlet wavelet."""

    name = "morlet"
    params = (Param("frequency", 5.0, "[0, 100]", "angular frequency of the cosine", typical=(1.75, 5.0)),)
    formula, latex = "cos(ωx) exp(−x²/2)", r"\cos(\omega x)\,e^{-x^2/2}"
    references = (Reference("Grossmann & Morlet 1984, Decomposition of Hardy functions, SIAM J. Math. Anal. 15"),)

    def f(self, x, m):
        return m.cos(x * self.frequency) * m.exp(x * x * -0.5)


class Haar(Elementwise):
    """The Haar wavelet: 1 on the first half of the unit interval, -1 on the second."""

    name = "haar"
    kinks = (0.0, 0.5, 1.0)
    formula, latex = "1 on [0, ½), −1 on [½, 1), else 0", r"\mathbf{1}_{[0, 1/2)}(x) - \mathbf{1}_{[1/2, 1)}(x)"
    references = (Reference("Haar 1910, Zur Theorie der orthogonalen Funktionensysteme, Math. Annalen 69"),)

    def f(self, x, m):
        inside = m.where(x < 1.0, m.where(x < 0.5, 1.0, -1.0), 0.0)
        return m.where(x < 0.0, 0.0, inside)
