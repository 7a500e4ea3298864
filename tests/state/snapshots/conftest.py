"""Makes the cases and what they live in importable; tells threads of other tests from their own."""

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="module")
def _threads_of_earlier_tests():
    """Servers of other tests may still run in this process; none of them runs code of these notebooks."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.name.startswith("statebook"):
            thread.name = f"statebook test, {thread.name}"
