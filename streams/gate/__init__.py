"""The gate: verify, decode, judge, decide the readers, and write it all down in blocks."""
