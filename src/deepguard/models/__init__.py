"""Models and the roles that they play."""
