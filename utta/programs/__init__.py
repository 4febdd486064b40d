"""The DSPy programs, and the folders they are kept in."""
