"""One file a family of layers; every Layer class in them is in the catalogue."""
