"""Rulebooks that ship: a folder of YAML files each (`yulin`, the example city), or one file."""
