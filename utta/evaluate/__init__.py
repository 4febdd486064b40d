"""A program over data: predictions, agreement with the experts, calibration of the read-out, comparison of two runs."""
