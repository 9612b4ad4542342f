"""What every test shares: one hypothesis profile and the folder of published data sets."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Derandomised: the same examples on every machine and in every order. `make nightly` explores further with
# HYPOTHESIS_PROFILE=explore. Deadlines measure the machine, not the code.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
_REPEATABLE = settings.get_profile("repeatable")
settings.register_profile("explore", parent=_REPEATABLE, derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of published data sets (QPROJ_DATA_DIR), or skip."""
    where = os.environ.get("QPROJ_DATA_DIR")
    if not where or not Path(where).is_dir():
        pytest.skip("set QPROJ_DATA_DIR to the folder of published data sets")
    return Path(where)


@pytest.fixture(scope="session", autouse=True)
def listening():
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it.

    A process that a test starts inherits that too.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
