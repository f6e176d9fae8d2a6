"""When an anytime search ends: it may go on for as long as it pays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Patience:
    """Ends at a deadline, or once waiting for the next gain took longer than all gains before, at least `least`.

    All in seconds; `deadline` is a time of `time.monotonic()`.
    """

    deadline: float
    least: float
    began: float = field(init=False)
    gained: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.gained = time.monotonic()

    def gain(self) -> None:
        """Something better was found."""
        self.gained = time.monotonic()

    @property
    def end(self) -> float:
        """When it ends if nothing is gained until then, a time of `time.monotonic()`."""
        return min(self.deadline, self.gained + max(self.least, self.gained - self.began))

    @property
    def is_over(self) -> bool:
        """Whether the search has to end."""
        return time.monotonic() > self.end
