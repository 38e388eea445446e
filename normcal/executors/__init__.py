"""One file an executor, each with an ``EXECUTOR``."""
