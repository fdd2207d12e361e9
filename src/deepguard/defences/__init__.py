"""Named recipes that a user picks."""
