"""The rulebook: what the law, the catalogue and the deployment say, as immutable versions.

`model` holds the structs, `load` reads YAML files and `diff` tells what two rulebooks differ in. On the way from a
file: `written` (values with their lines), `files` (merged), `convert` and `draft` (typed), `check*` (whole), and
`base_calendar`; what is wrong is a `faults.Fault`. The calendar and clock profiles it carries are used by
`monitor.calendar` and `monitor.counting`; nothing here judges a case.
"""
