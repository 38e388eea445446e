"""One file a way to draw pictures, each with a ``CANVAS``."""
