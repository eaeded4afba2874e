"""What an operator looks at: why a member received an alert, what was refused, where an alert is, how the hub does."""
