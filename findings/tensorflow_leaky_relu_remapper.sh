#!/usr/bin/env bash
# TensorFlow 2.21.0 on a CPU: the graph optimizer's remapper gives up on the gradient of a
# convolution with a bias and a leaky ReLU. It merges the three into one
# node and leaves LeakyReluGrad pointing to the BiasAdd that is gone; the whole pass is then
# undone ("remapper failed: INVALID_ARGUMENT: Mutation::Apply error: fanout
# 'gradient_tape/LeakyRelu/LeakyReluGrad' exist for missing node 'BiasAdd'"), so that nothing
# else of that graph is merged either. The numbers are right. With ReLU nothing is said.
# Output here: {'leaky_relu': True, 'relu': False}, whether it failed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q tensorflow==2.21.0
cat > "$scratch/gradient.py" <<'PYTHON'
import sys

import tensorflow as tf

kernel, bias = tf.Variable(tf.ones((4, 4, 3, 8))), tf.Variable(tf.zeros(8))


@tf.function(autograph=False)
def gradients(images):
    with tf.GradientTape() as tape:
        sums = tf.nn.bias_add(tf.nn.conv2d(images, kernel, 2, "SAME"), bias)
        loss = tf.reduce_mean(getattr(tf.nn, sys.argv[1])(sums) ** 2)
    return tape.gradient(loss, kernel)


gradients(tf.ones((2, 32, 32, 3)))
PYTHON
"$scratch/env/bin/python" - "$scratch" <<'PYTHON'
import subprocess
import sys

scratch, failed = sys.argv[1], {}
for activation in ("leaky_relu", "relu"):
    command = [f"{scratch}/env/bin/python", f"{scratch}/gradient.py", activation]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    failed[activation] = "remapper failed" in done.stderr
print(failed)
sys.exit(list(failed.values()) != [True, False])
PYTHON
