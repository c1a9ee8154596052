"""How does it look? The only room that draws."""
