"""Numpy computes in one thread while samples are reduced, and as before afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: the one of the tests has threads of their runner.
PROGRAM = """
import threading
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from unstuck.observe.samples import one_thread

def threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

threadpool_limits(2, user_api="blas")
before = threads()
"""
ALONE = """
with one_thread.one_thread():
    assert threads() == {1}
"""
WITH_ANOTHER = """
done = threading.Event()
threading.Thread(target=done.wait).start()
with one_thread.one_thread():
    assert threads() == before
done.set()
"""
UNKNOWN = """
def fails(self):
    raise OSError("no libraries can be listed here")
one_thread._Libraries.__init__ = fails
with one_thread.one_thread():
    assert threads() == before
"""


@pytest.mark.parametrize("within", [ALONE, WITH_ANOTHER, UNKNOWN],
                         ids=["alone", "with another thread", "libraries that cannot be listed"])
def test_threads_are_one_within_if_no_other_may_need_them_and_as_before_afterwards(
    within: str
) -> None:
    subprocess.run([sys.executable, "-c", f"{PROGRAM}{within}assert threads() == before"],
                   check=True, timeout=300)
