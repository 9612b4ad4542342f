"""One execution of a fuzz target: a clear error or a right answer, soon, and in little memory."""

import contextlib
import resource
import signal
import threading

#: Bytes that one execution may add to the process's address space.
MEMORY = 1 << 30
SECONDS = 10.0
#: Exceptions that a user may see; any other one is a defect, MemoryError and RecursionError above all.
CLEAR = (ValueError, TypeError, FileNotFoundError)
LONGEST_MESSAGE = 2000


def _late(number, frame):
    raise AssertionError(f"not back after {SECONDS:g} s")


@contextlib.contextmanager
def limited():
    """Hold the process to MEMORY more than it has, and the body to SECONDS."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    main = threading.current_thread() is threading.main_thread()
    if main:
        before = signal.signal(signal.SIGALRM, _late)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def execute(target, content, folder):
    """Run a target once: "refused" with a clear error, or "right" by the target's own checks."""
    with limited():
        try:
            target(content, folder)
        except CLEAR as error:
            said = str(error)
        else:
            return "right"
    assert said.strip(), "an error without a message"
    assert len(said) <= LONGEST_MESSAGE, f"a message of {len(said)} characters: {said[:200]}"
    return "refused"
