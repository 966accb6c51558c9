"""Trainings that somebody else wrote: any program, run as a child process."""
