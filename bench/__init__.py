"""The figures that the design promises, measured; run by `make bench`. Never part of `make test`."""
