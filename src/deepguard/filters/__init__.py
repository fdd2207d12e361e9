"""Photo filters: what a user changes about a photo before it is protected."""
