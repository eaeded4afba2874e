"""Test vectors of the contract, as JSON files for every other language, and what makes them (`make.py`)."""
