"""The taggers of Pons and Serra: from their TensorFlow checkpoints to safetensors."""
