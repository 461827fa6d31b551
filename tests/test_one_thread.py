"""Numpy computes in one thread while samples are reduced, and as before afterwards."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from unstuck import one_thread


def threads() -> list[int]:
    assert np.linalg.inv(np.eye(2)).shape == (2, 2)  # the library is loaded
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_one_thread_within_and_as_many_as_before_afterwards() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_thread.one_thread():
            assert set(threads()) == {1}
        assert threads() == before


def test_nothing_is_set_while_another_thread_may_compute() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    with threadpool_limits(2, user_api="blas"):
        other.start()
        try:
            before = threads()
            with one_thread.one_thread():
                assert threads() == before
        finally:
            done.set()
            other.join()


def test_a_library_that_cannot_be_limited_costs_nothing_but_time(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object) -> None:
        raise OSError("no libraries can be listed here")

    monkeypatch.setattr(one_thread._Libraries, "__init__", fails)
    with one_thread.one_thread():
        pass
