"""Libraries whose arrays a function of the user's may work on; each file defines one as ``FRAMEWORK``."""
