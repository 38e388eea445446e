"""Other programs that compute the same constants: one file each, as ``peer.py`` says."""
