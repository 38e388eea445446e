"""The benchmarks: every goal of speed and memory, measured against a yardstick in the same run."""
