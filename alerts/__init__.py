"""What leaves the system: Prometheus and Alertmanager rules, outbox delivery, channels, escalation.

An alert is made from a finding that is already committed, never from a calculation of its own.
Not here: the rules that find breaches (`monitor`), and the engine that fills the outbox (`streams`).
"""
