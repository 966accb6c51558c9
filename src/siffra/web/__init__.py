"""The page in the browser: `siffra ui`."""
