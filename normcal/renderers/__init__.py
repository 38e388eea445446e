"""One file an output format, each with a ``RENDERER``."""
