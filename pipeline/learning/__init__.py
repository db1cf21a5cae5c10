"""How models are trained and kept: pretrained checkpoints, one Trainer set-up, the model store and its champions."""
