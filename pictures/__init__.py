"""The project's pictures, made by scripts: `python -m pictures` says which."""
