"""Unipile: LinkedIn seats over its API, version 1."""
