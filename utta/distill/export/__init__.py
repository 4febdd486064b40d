"""`export`: a distilled judge in the forms that other servers load, each loaded again and held against the program."""
