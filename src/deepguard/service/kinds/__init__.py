"""Job kinds, one module each; they register themselves."""
