"""One file an engine, each with an ``ENGINE``."""
