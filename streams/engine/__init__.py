"""The runners of the hub: they read, hand batches to a stage, send what it answers, and remember progress."""
