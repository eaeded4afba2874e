"""The demo: six states on real servers, from agencies' files to national databases, and a report that can fail."""
