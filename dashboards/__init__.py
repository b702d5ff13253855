"""Grafana dashboards as code, their generated JSON, publishing and permissions.

A panel shows a figure defined in `monitor`; it never defines one itself.
Not here: the figures and metrics (`monitor`), and alert rules on them (`alerts`).
"""
