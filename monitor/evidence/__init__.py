"""Evidence bundles: everything that led to the verdict on one case, in one file that verifies without the ledger.

`export` makes one, `check` verifies one; `contents` says what is in it, `archive` how it is written, `proof` how its
rows are tied to a sealed head. Nothing here judges a case: verifying takes the assessment again and compares.
"""
