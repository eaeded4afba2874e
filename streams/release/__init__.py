"""Release: a match is told to its authors, and names are told only when all of them have accepted."""
