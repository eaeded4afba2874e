"""The hub's matchers: persons, routes, transfers and identifiers, pure and usable as a library."""
