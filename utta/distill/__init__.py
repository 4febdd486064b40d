"""Better weights: training rows from expert labels, LoRA training, a calibrated program on the new weights."""
