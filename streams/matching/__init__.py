"""Matching on the hub's side: persons, identifiers, routes and transfers."""
