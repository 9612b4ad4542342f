"""Errors of dwave-cloud-client: which another try may not meet, and which cost nothing."""

from __future__ import annotations


def transient() -> tuple[type[BaseException], ...]:
    """Return the errors that another try may not meet: offline, overloaded, timed out, cut off. Others are final."""
    from dwave.cloud.api.exceptions import InternalServerError, RequestTimeout, ResourceLimitsExceededError
    from dwave.cloud.exceptions import PollingTimeout, SolverOfflineError
    from requests import exceptions as requests

    return (
        SolverOfflineError, RequestTimeout, PollingTimeout, InternalServerError, ResourceLimitsExceededError,
        ConnectionError, TimeoutError, requests.ConnectionError, requests.Timeout,
    )  # fmt: skip


def turned_away() -> tuple[type[BaseException], ...]:
    """Return the errors that report a rejected submission, for which nothing is charged."""
    from dwave.cloud.api.exceptions import ResourceAuthenticationError, ResourceLimitsExceededError
    from dwave.cloud.exceptions import SolverOfflineError

    return (SolverOfflineError, ResourceLimitsExceededError, ResourceAuthenticationError)
