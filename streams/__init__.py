"""The hub: verify, judge, route and account for every alert."""
