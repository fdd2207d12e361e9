"""Quality numbers of a changed picture."""
