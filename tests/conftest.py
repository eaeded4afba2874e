"""What every test shares: hypothesis' profiles, and the doors to the real servers in `tests/support`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Two cores shared with a broker are no place for a deadline by the clock: a value breaks a law, a slow run does not.
settings.register_profile("manara", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("manara")

# One broker and one database a run, started when the first test asks for them.
pytest_plugins = ["tests.support.kafka", "tests.support.postgres", "tests.support.totals"]
