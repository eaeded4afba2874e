"""The demo: six states on real servers, from the agencies' files to the national databases, and a report that can fail."""
