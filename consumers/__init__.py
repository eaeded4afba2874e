"""The edge of a member: verify again, deduplicate and store alerts in national systems.

`Feed` is the door for programs: `for alert in Feed.open("manara.toml"): …` (consumers/feed.py).
"""

from __future__ import annotations

from consumers.feed import Alert, Feed

__all__ = ["Alert", "Feed"]
