"""Laws of the input beyond the normal one: one file a law, each with a ``LAW``."""
