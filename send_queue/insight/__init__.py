"""Forecast, doctor, metrics and report."""
