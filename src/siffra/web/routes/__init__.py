"""What can be asked of the server, by family. Ids come in, never paths; errors are `ApiError`s."""
