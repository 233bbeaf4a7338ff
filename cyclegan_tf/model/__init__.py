"""The networks, the losses, and the `keras.Model` that trains them."""
