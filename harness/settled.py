"""Imported last by a process that is going to be forked: what it holds is not collected again.

A collection in a fork, as at its exit, would look at each of a million objects again.
"""

import gc

gc.collect()
gc.freeze()
