"""A trained model -> a bundle: graph, calibration, hashes, model card."""
