"""The commands of the front door that belong to no role."""
