"""How good a classifier is: on which faces, after what happened to them, and under which attack."""
