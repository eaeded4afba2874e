"""Search over a member's own inbox: exact by any identifier, fuzzy by names in all scripts, every search on record.

content.py   what of an alert can be searched for: numbers, persons, names of ships, firms and places
numbers.py   one search key a number, in whatever raw form it is written
words.py     names of things: ships, firms, places
keys.py      keys as the index keeps them: keyed hashes, so that no name and no number stands in it
index.py     `search.db`, derived from the inbox, kept up by position; it forgets what the inbox forgets
keeper.py    the edge's thread that keeps it up and purges it
query.py     what is asked; finding.py answers it; showing.py prints the answer
audit.py     `search-audit.db`, append-only: who asked what, when, in which case, and what was found
commands.py  `manara search`, `manara search audit`
"""
