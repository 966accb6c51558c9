"""The bench in the browser: `siffra ui`."""
