"""One state's edge, switched off while alerts are published for it and on again later: it must catch up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from manara.demo.report import Committed
from manara.deployment.network import Network
from manara.errors import ManaraError


class Away:
    """The edge of `member`, which the network hosts apart; nothing is done where it has no such member.

    `clock` gives microseconds.
    """

    def __init__(
        self, network: Network, member: str, clock: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        """It is on."""
        self._network = network
        self._clock = clock
        self.members = frozenset({member} & network.draft.members.keys())
        self._before: dict[str, int] = {}
        self._since = self._until = 0
        self.off = False

    def switch_off(self, stored: Callable[[], Mapping[str, int]]) -> None:
        """End its process. `stored` reads what the databases hold, by member."""
        for member in self.members:
            self._network.switch_off(member)
            self._before[member] = stored()[member]
            self.off = True
        self._since = self._clock()

    def switch_on(self, stored: Mapping[str, int]) -> None:
        """Start it again. `ManaraError` where rows came while nobody brought them."""
        for member, before in self._before.items():
            if stored[member] != before:
                raise ManaraError(
                    f"The database of {member} went from {before} to {stored[member]} rows while its edge was off.",
                    "Somebody else writes into it: look at the demo's process list.",
                )
        self._until = self._clock()
        for member in self._before:
            self._network.switch_on(member)
        self.off = False

    def caught_up(self, rows: Iterable[Committed]) -> dict[str, int]:
        """Of these rows, those of the member that the hub admitted while its edge was off."""
        found = Counter(
            row.member for row in rows if row.member in self.members and self._since <= row.admitted < self._until
        )
        return {member: found[member] for member in sorted(self.members)}
