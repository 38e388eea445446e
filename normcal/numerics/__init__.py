"""Arithmetic that knows no layer: arrays, dual numbers, balls, panels, moment sums."""
