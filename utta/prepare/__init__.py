"""What happens to records before a program sees them: `check` looks for trouble, `split` parts them by problem."""
