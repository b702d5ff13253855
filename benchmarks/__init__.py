"""What the speed claims are made with: a module for each benchmark, none of them part of the tests.

`python -m benchmarks --help`; how to read the figures stands in docs/benchmarks.md. Not here: tests of what is right.
"""
