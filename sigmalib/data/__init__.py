"""What does the world say? The only room with network, files or database."""
