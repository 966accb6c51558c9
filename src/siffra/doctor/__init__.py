"""`siffra doctor`: is everything in order on this machine, and if not, what mends it?"""
