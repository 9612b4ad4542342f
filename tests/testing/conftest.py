"""The liars of these tests may change what belongs to the process."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def numpys_errors():
    """Leave numpy's handling of floating-point errors as it was."""
    before = np.geterr()
    yield
    np.seterr(**before)
