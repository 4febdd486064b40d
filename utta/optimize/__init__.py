"""Better prompts: which demonstrations a judge is shown, and how its probabilities become levels."""
