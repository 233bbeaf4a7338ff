"""A trained generator as a function from pictures to pictures."""
