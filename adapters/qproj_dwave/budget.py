"""QPU access time: estimated before each submission, never overrun, and written down afterwards."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


class BudgetExceededError(RuntimeError):
    """A submission would exceed the budget; nothing was submitted."""


@dataclass
class Budget:
    """A hard limit on QPU access time, shared by whoever holds it; thread-safe.

    Attributes
    ----------
    limit_us : float or None
        Microseconds; None: no limit, but spending is recorded.
    spent_us : float
        As reported by the machine, or as estimated where it reports nothing.
    """

    limit_us: float | None = None
    spent_us: float = 0.0
    submissions: int = 0
    _reserved: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.limit_us is not None and not self.limit_us > 0:
            raise ValueError(f"limit_us is {self.limit_us}; microseconds > 0, or None for no limit, are allowed")

    def reserve(self, estimate_us: float | None) -> float:
        """Set the estimate aside, or raise before anything is paid.

        Raises
        ------
        BudgetExceededError
            The estimate exceeds what is left, or no estimate is available to hold a limit.
        """
        with self._lock:
            if self.limit_us is None:
                return estimate_us or 0.0
            if estimate_us is None:
                raise BudgetExceededError("the solver gives no estimate of its access time, so no limit can be kept")
            taken = self.spent_us + self._reserved
            if taken + estimate_us > self.limit_us:
                raise BudgetExceededError(
                    f"this call needs about {estimate_us:.0f} µs of QPU access, and of {self.limit_us:.0f} µs "
                    f"{max(self.limit_us - taken, 0):.0f} are left; nothing was submitted: lower num_reads or raise it"
                )
            self._reserved += estimate_us
            return estimate_us

    def settle(self, reserved_us: float, actual_us: float | None) -> None:
        """Replace a reservation by what was spent; a call that failed after submission counts as estimated."""
        with self._lock:
            if self.limit_us is not None:
                self._reserved -= reserved_us
            self.spent_us += reserved_us if actual_us is None else actual_us
            self.submissions += 1

    def release(self, reserved_us: float) -> None:
        """Give a reservation back: nothing was submitted."""
        with self._lock:
            if self.limit_us is not None:
                self._reserved -= reserved_us

    def __getstate__(self) -> dict[str, object]:
        return {"limit_us": self.limit_us, "spent_us": self.spent_us, "submissions": self.submissions, "_reserved": 0.0}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
