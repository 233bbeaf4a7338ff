"""`cyclegan train` with several logical CPU devices, for `--strategy mirrored`.

python -m tests.train_on_cpus 2 --strategy mirrored ...
"""

import sys

import tensorflow as tf

from cyclegan_tf.cli import run

if __name__ == "__main__":
    num_devices = int(sys.argv.pop(1))
    [cpu] = tf.config.list_physical_devices("CPU")
    devices = [tf.config.LogicalDeviceConfiguration()] * num_devices
    tf.config.set_logical_device_configuration(cpu, devices)
    run("train")
