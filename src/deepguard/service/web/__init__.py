"""The web process: the API and the plain page. It loads neither torch nor weights."""
