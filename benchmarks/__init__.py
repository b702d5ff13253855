"""What the speed claims are made with: repeatable measurements, their inputs and their printed results.

A number in the documentation comes from a program here, with the machine it ran on beside it.
Not here: tests, which say whether something is right and not how fast it is (`tests`).
"""
