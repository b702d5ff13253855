"""The commands of the `monitor` command line, one module each; `monitor.cli` registers them."""
