"""One file a sub-command, each with a click ``command``."""
