"""The domain and its read side: events, rulebook, assessment, ledger, figures, metrics, read API, page, CLI.

Everything here is a value, a pure function, or a reader or writer of the ledger.
Not here: runtimes and ingest (`streams`), delivery of alerts (`alerts`), Grafana (`dashboards`).
"""
