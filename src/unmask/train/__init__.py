"""A prepared dataset -> a trained model, in a run that can be killed and gone on with."""

from unmask.system.private import keep_keras_out_of_home

keep_keras_out_of_home()  # before any module of this room imports Keras
