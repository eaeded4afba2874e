"""What is wrong here, and what to do about it: a row of checks, each of which gives findings with a fix."""
