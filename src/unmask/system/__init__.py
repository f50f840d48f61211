"""What the machine gives and how files are left on it: cores, files written in one step, locks."""
