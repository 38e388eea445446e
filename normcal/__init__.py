"""normcal: mean and standard deviation of neural-network layers under Gaussian input."""

__version__ = "0.1.0"
