"""`cyclegan train` with several logical CPU devices, for `--strategy mirrored`.

python -m tests.train_on_cpus 2 --strategy mirrored ...
"""

import sys

import tensorflow as tf

from cyclegan_tf.cli import run


def make_devices(number):
    """Makes logical devices of the CPU; call it before anything is computed."""
    [cpu] = tf.config.list_physical_devices("CPU")
    devices = [tf.config.LogicalDeviceConfiguration()] * number
    tf.config.set_logical_device_configuration(cpu, devices)


if __name__ == "__main__":
    make_devices(int(sys.argv.pop(1)))
    run("train")
