"""The tool around the roles: settings, keys, logs, metrics, embedded servers and the command line."""
