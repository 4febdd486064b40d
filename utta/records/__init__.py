"""What UTTA knows: records, read from and written to JSON Lines.

`review` holds the records themselves, `read` reads and writes them, `rubrics` finds a rubric by name or path. It does
not know where records come from: that is `utta.sources`.
"""
