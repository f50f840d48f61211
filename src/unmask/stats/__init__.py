"""Arrays in, numbers out: measures, intervals, calibration. No pictures, no files."""
