"""The command line: one thin file per command group, and `main`, which finds them and shows errors as one sentence."""
