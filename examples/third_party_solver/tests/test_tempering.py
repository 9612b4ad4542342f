from qproj_tempering import Tempering

from qproj.testing import solver_checks


@solver_checks(Tempering())
def test_tempering(check):
    check()
