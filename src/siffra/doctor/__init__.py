"""`siffra doctor`: what is wrong with this installation, and what would fix it."""
