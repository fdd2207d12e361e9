"""What was achieved, measured on the file that the user gets."""
