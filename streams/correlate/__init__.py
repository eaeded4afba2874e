"""Correlation: alerts of different members that speak of the same person, number, road or money."""
