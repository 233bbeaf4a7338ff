"""`python -m cyclegan_tf train ...` is the same as `cyclegan train ...`."""

from cyclegan_tf.cli import main

# Worker processes import this module again.
if __name__ == "__main__":
    main()
