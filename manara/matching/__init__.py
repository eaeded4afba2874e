"""Matching of what two states wrote: persons, names, identifiers; pure decisions, each with its evidence in words."""
