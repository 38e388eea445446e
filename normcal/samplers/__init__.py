"""How the points of a simulation lie: one file a sampler."""
