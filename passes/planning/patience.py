"""When an anytime search ends: it may go on for as long as it pays.

What a search does is counted, and no clock is read, so it ends at the same place on every machine and under any load.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Patience:
    """Ends after `most`, or once waiting for the next gain took longer than all gains before, at least `least`.

    All in seconds as a search is estimated to take them, on one core of today's processors.
    """

    most: float
    least: float
    spent: float = 0.0
    gained: float = 0.0

    def spend(self, seconds: float) -> None:
        """So much was done."""
        self.spent += seconds

    def gain(self) -> None:
        """Something better was found."""
        self.gained = self.spent

    @property
    def end(self) -> float:
        """What may be spent in all if nothing is gained until then."""
        return min(self.most, self.gained + max(self.least, self.gained))

    @property
    def is_over(self) -> bool:
        """Whether the search has to end."""
        return self.spent >= self.end
