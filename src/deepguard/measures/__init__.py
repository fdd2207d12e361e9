"""Quality numbers of a changed picture, one file each."""
