"""How well a whole set of photos is protected, beside what else could have been done to them."""
