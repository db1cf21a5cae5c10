"""How much one caller may ask: a bucket of tokens that fills with time (a leaky bucket, Turner 1986)."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

CALLERS = 10_000  # remembered at most, the longest silent forgotten first


class Limits:
    """Allows each caller a burst, then so many questions a minute."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        """Set the limits; the clock counts seconds."""
        self._rate, self._burst, self._clock = per_minute / 60, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def allows(self, caller: str) -> bool:
        """Whether a caller may ask now; if so, it counts."""
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(caller, (float(self._burst), now))
            left = min(left + (now - since) * self._rate, float(self._burst))
            allowed = left >= 1
            self._left[caller] = (left - allowed, now)
            while len(self._left) > CALLERS:
                self._left.popitem(last=False)
            return allowed
