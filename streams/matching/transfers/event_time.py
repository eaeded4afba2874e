"""Event time of the stream: the latest believed moment, and which records are too late or too far ahead to count."""

from __future__ import annotations

from math import exp2, log

HALF_LIFE = 45.0
WINDOW = 10.0
"""Days that transfers are kept whole, and that a record may be late."""
LEAP = 30.0
"""Days ahead of all others from which a record's clock is taken to be wrong, until BELIEVED in a row say the same."""
BELIEVED = 100


class EventTime:
    """`now` is the latest believed time in days, `began` the first. Running backwards within the window is harmless."""

    def __init__(self) -> None:
        self.began = self.now = 0.0
        self._counted = self._ahead = 0

    def admit(self, time: float) -> str:
        """`counts`, `late`, `ahead`, or `anew`: the clock leaps, and what was learnt before means nothing any more."""
        if not self._counted:
            return self._restart(time)
        if time > self.now + LEAP:
            self._ahead += 1
            return "ahead" if self._ahead < BELIEVED else self._restart(time)
        self._ahead = 0
        if time < self.now - WINDOW:
            young = self._counted < BELIEVED and time < self.now - LEAP  # the very first record was wrong
            return self._restart(time) if young else "late"
        self._counted += 1
        self.now = max(self.now, time)
        return "counts"

    def _restart(self, time: float) -> str:
        self.began = self.now = time
        self._counted, self._ahead = 1, 0
        return "anew"

    def weight(self) -> float:
        """What one transfer of today counts beside one of the first day, so that old counts fade."""
        return exp2((self.now - self.began) / HALF_LIFE)

    def exposure(self) -> float:
        """Days of observation behind the faded counts, at least half a day."""
        return max(0.5, HALF_LIFE / log(2) * (1 - exp2((self.began - self.now) / HALF_LIFE)))
