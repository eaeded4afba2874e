"""Bulk import: an agency's own table (CSV, NDJSON, xlsx) becomes alerts, by a mapping that is written once."""
