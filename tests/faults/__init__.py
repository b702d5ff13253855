"""Faults thrown at the distributed runtime, and the proof that each ends in the ledger of an undisturbed run.

`make faults` runs them all (`scripts/faults.py`), `test_short` some of them. What happens is a `tape`, fed by `feeding`
to a `topology` of a real broker, a real database and real workers, which one of `injuries` then befalls; `outcome`
compares. Not here: the tests of single modules of the runtime.
"""
