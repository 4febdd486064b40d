"""A tutor, held against the people who answered the same students, and pressed for the answer."""
