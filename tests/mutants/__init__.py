"""Faults that the tests must find: `make mutants` puts one at a time into a copy of the tree."""
