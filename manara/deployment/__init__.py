"""A whole network on one machine: its folder, its parties with their keys and settings, its processes."""
