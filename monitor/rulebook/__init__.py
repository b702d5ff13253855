"""The rulebook: what the law, the catalogue and the deployment say, as immutable versions.

`model` holds the structs, `load` reads YAML files and names each fault by file and line, `history` the versions
in force over time, `diff` what two versions differ in. The calendar and clock profiles it carries are used by
`monitor.calendar` and `monitor.counting`; nothing here judges a case.
"""
