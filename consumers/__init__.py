"""The edge of a member: verify again, deduplicate and store alerts in national systems."""
