"""Sinks: one file a national system, all under one contract (`contract.py`)."""
