"""Tests of everything in `pipeline`, in the same places; a package, as one of the libraries brings its own `tests`."""
