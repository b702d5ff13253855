"""The processors: engine, embedded runtime, ticker, HTTP ingest, importers and simulator.

Whatever moves events towards the ledger lives here, and only this package writes cases and findings.
Not here: what an event or a breach means (`monitor`), and who is told about it (`alerts`).
"""
