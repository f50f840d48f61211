"""A trained model -> a bundle: graph, calibration, hashes, model card."""

from unmask.system.private import keep_keras_out_of_home

keep_keras_out_of_home()  # before any module of this room imports Keras
