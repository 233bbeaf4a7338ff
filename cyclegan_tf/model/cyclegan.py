"""The CycleGAN model: four networks, eight losses, two optimizers, one step."""

import functools
import time

import keras
import tensorflow as tf

from cyclegan_tf.config.losses import LOSS_TERMS, TEACHER_TERMS
from cyclegan_tf.model.averages import copied, move_average
from cyclegan_tf.model.diffaugment import DiffAugment
from cyclegan_tf.model.layers import use_fused_normalization
from cyclegan_tf.model.losses import (
    absolute_error,
    adversarial_loss,
    discriminator_loss,
    teacher_losses,
)
from cyclegan_tf.model.networks import apply_to_pair, stages_of
from cyclegan_tf.model.replicas import SharedMean, mean_over_replicas


class CycleGAN(keras.Model):
    """Trains two generators and two discriminators on unpaired images.

    `gen_ab` maps domain A to B, `gen_ba` maps B to A, `disc_a` judges images of
    domain A, `disc_b` of domain B. Train it with `fit` on batches `(real_a, real_b)`,
    float32 `(batch, height, width, channels)` in [-1, 1].

    The losses are those of `config.losses.LOSS_TERMS`, tracked under their names
    without their weights; the generators' objective is the weighted sum of six.

    Args:
        gen_ab, gen_ba: generators, see `networks.build_generator`.
        disc_a, disc_b: discriminators, see `networks.build_discriminator`.
        pool_a, pool_b: `ImagePool` of fakes of each domain.
        cycle_weight: weight of each cycle loss (paper: 10).
        identity_weight: weight of each identity loss (paper: half the cycle weight);
            the losses are 0 where the domains differ in channels.
        remat: compute the insides of generators again for the gradient, to save memory.
        average_share: keep averages of the generators' weights beside them, with a
            half-life of this share of the steps taken; 0: none.
        diffaugment: alters all that the discriminators see; without, nothing does.
        teachers: trained generators by direction; the others learn their translations.
        teacher_weight, feature_weight: of distances to it, see `losses.teacher_losses`.

    Attributes:
        averages: the averaged generators by direction; empty without.
        returns_logs: whether `fit` reads the losses of its next step, and so waits.
        seconds_waited: for batches, in this process since it began.

    Source: Zhu et al. 2017, arXiv:1703.10593, Sec. 3 and 4. Both generators receive
    the gradient of all six terms: each takes part in both cycles.

    Example:
        >>> model = CycleGAN(gen_ab, gen_ba, disc_a, disc_b, pool_a, pool_b)
        >>> model.compile(Adam(2e-4, beta_1=0.5), Adam(2e-4, beta_1=0.5), jit=False)
        >>> model.fit(batches, steps_per_epoch=100)
    """

    def __init__(
        self,
        gen_ab,
        gen_ba,
        disc_a,
        disc_b,
        pool_a,
        pool_b,
        cycle_weight=10.0,
        identity_weight=5.0,
        remat=False,
        average_share=0.0,
        diffaugment=None,
        teachers=None,
        teacher_weight=10.0,
        feature_weight=10.0,
    ):
        super().__init__(name="cyclegan")
        self.gen_ab, self.gen_ba = gen_ab, gen_ba
        self.disc_a, self.disc_b = disc_a, disc_b
        self.pool_a, self.pool_b = pool_a, pool_b
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.has_identity = gen_ab.input_shape == gen_ba.input_shape
        self.remat, self.average_share = remat, average_share
        self.diffaugment = diffaugment or DiffAugment()
        # After all other networks: they start from the weights that they had without.
        self.averages = {
            direction: copied(generator, f"average_{direction}")
            for direction, generator in self.generators.items()
            if average_share
        }
        self.teachers = teachers or {}
        self.teacher_weight, self.feature_weight = teacher_weight, feature_weight
        judges = {"a_to_b": disc_b, "b_to_a": disc_a}
        self.stages = {name: stages_of(judges[name]) for name in self.teachers}
        self.terms = LOSS_TERMS + (TEACHER_TERMS if self.teachers else ())
        self.trackers = {t.name: SharedMean(name=t.name) for t in self.terms}
        self.num_replicas = self.distribute_strategy.num_replicas_in_sync
        self.returns_logs = True
        self.seconds_waited = 0.0
        self.built = True

    def compile(self, generator_optimizer, discriminator_optimizer, jit=True):
        """Sets the optimizers: one for both generators, one for both discriminators.

        With `jit`, XLA compiles losses and gradients. The optimizers stay outside of
        it, which is what lets the same step run under a `tf.distribute` strategy.
        Without, normalizations are fused ones.
        """
        super().compile(jit_compile=False)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        generator_optimizer.build(self.generator_variables)
        discriminator_optimizer.build(self.discriminator_variables)
        self._compiled = tf.function(
            self.losses_and_gradients, jit_compile=jit, autograph=False
        )
        for network in (self.gen_ab, self.gen_ba, self.disc_a, self.disc_b):
            use_fused_normalization(network, not jit)

    @property
    def step(self):
        """Number of steps taken since the start of the run, int."""
        return int(self.generator_optimizer.iterations.numpy())

    @property
    def generators(self):
        """Both generators by direction, "a_to_b" and "b_to_a"."""
        return {"a_to_b": self.gen_ab, "b_to_a": self.gen_ba}

    @property
    def trained_generators(self):
        """What is scored, shown and kept: the averages, or the generators without."""
        return self.averages or self.generators

    @property
    def generator_variables(self):
        """Trainable variables of both generators."""
        return self.gen_ab.trainable_variables + self.gen_ba.trainable_variables

    @property
    def discriminator_variables(self):
        """Trainable variables of both discriminators."""
        return self.disc_a.trainable_variables + self.disc_b.trainable_variables

    @property
    def metrics(self):
        """The trackers of the losses."""
        return list(self.trackers.values())

    def call(self, images):
        """Translates `(images of A, images of B)` to `(fakes of B, fakes of A)`."""
        real_a, real_b = images
        return self.gen_ab(real_a), self.gen_ba(real_b)

    def train_step(self, data):
        """One step on one batch; returns the running means of the losses by name.

        Under a `tf.distribute` strategy each replica does this with its own batch.
        """
        real_a, real_b = data
        step, batch_size = self.generator_optimizer.iterations.value, real_a.shape[0]
        plan_a = self.pool_a.plan(batch_size, step)
        plan_b = self.pool_b.plan(batch_size, step)
        coins = self.diffaugment.coins(step, batch_size)

        losses, fakes, gradients = self._compiled(real_a, real_b, plan_a, plan_b, coins)

        self.pool_a.store(plan_a, fakes[0])
        self.pool_b.store(plan_b, fakes[1])
        self.generator_optimizer.apply(gradients[0], self.generator_variables)
        self.discriminator_optimizer.apply(gradients[1], self.discriminator_variables)
        for name, value in mean_over_replicas(losses).items():
            self.trackers[name].update_state(value)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def losses_and_gradients(self, real_a, real_b, plan_a, plan_b, coins=None):
        """The pure part of a step.

        Args:
            real_a, real_b: float32 `(batch, height, width, channels)` in [-1, 1].
            plan_a, plan_b: what the pools do with this step's fakes.
            coins: of `diffaugment`; none: nothing is altered.

        Returns:
            The eight losses by name (float32 scalars, unweighted), the fakes
            `(fake_a, fake_b)`, and the gradients `(generators', discriminators')` in
            the order of `generator_variables` and `discriminator_variables`: this
            replica's part of them, which the optimizers add up.
        """
        generators = [variable.value for variable in self.generator_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(generators)
            losses, fakes = self.generator_losses(real_a, real_b, coins)
            objective = self.generator_objective(losses) / self.num_replicas
            objective = self.generator_optimizer.scale_loss(objective)
        generator_gradients = tape.gradient(objective, generators)

        # The pooled fakes are made outside of a tape: the discriminators' objective
        # has no gradient into the generators.
        pooled_a = self.pool_a.exchange(plan_a, fakes[0])
        pooled_b = self.pool_b.exchange(plan_b, fakes[1])
        discriminators = [variable.value for variable in self.discriminator_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(discriminators)
            more = self.discriminator_losses(real_a, real_b, pooled_a, pooled_b, coins)
            objective = sum(more.values()) / self.num_replicas
            objective = self.discriminator_optimizer.scale_loss(objective)
        discriminator_gradients = tape.gradient(objective, discriminators)
        return losses | more, fakes, (generator_gradients, discriminator_gradients)

    def generator_losses(self, real_a, real_b, coins=None):
        """The generators' losses by name, unweighted, and `(fake_a, fake_b)`."""
        gen_ab, gen_ba, disc_a, disc_b = (
            functools.partial(network, training=True)
            for network in (self.gen_ab, self.gen_ba, self.disc_a, self.disc_b)
        )
        if self.remat:
            gen_ab, gen_ba = tf.recompute_grad(gen_ab), tf.recompute_grad(gen_ba)
        # Translate: a translation and an identity in one pass of each generator.
        if self.has_identity:
            fake_b, same_b = apply_to_pair(gen_ab, real_a, real_b)
            fake_a, same_a = apply_to_pair(gen_ba, real_b, real_a)
        else:
            fake_b, fake_a = gen_ab(real_a), gen_ba(real_b)
            same_b, same_a = real_b, real_a
        return {
            # Judge: Eq. 1 of the paper, least squares as in its Sec. 4.
            "G_A": adversarial_loss(disc_b(self._altered("fake_b", fake_b, coins))),
            "G_B": adversarial_loss(disc_a(self._altered("fake_a", fake_a, coins))),
            # Cycle: Eq. 2.
            "cycle_A": absolute_error(real_a, gen_ba(fake_b)),
            "cycle_B": absolute_error(real_b, gen_ab(fake_a)),
            # Identity: Sec. 5.2, "Photo generation from paintings".
            "identity_A": absolute_error(real_b, same_b),
            "identity_B": absolute_error(real_a, same_a),
            **teacher_losses(
                self.teachers, self.stages, (real_a, real_b), (fake_b, fake_a)
            ),
        }, (fake_a, fake_b)

    def generator_objective(self, losses):
        """The weighted sum of the generators' losses (Eq. 3 of the paper)."""
        return sum(
            (getattr(self, term.weight) if term.weight else 1.0) * losses[term.name]
            for term in self.terms
            if term.is_of_generators
        )

    def discriminator_losses(self, real_a, real_b, pooled_a, pooled_b, coins=None):
        """The two discriminator losses by name, on real images and pooled fakes."""
        real_a = self._altered("real_a", real_a, coins)
        real_b = self._altered("real_b", real_b, coins)
        pooled_a = self._altered("pooled_a", pooled_a, coins)
        pooled_b = self._altered("pooled_b", pooled_b, coins)
        disc_a = functools.partial(self.disc_a, training=True)
        disc_b = functools.partial(self.disc_b, training=True)
        return {
            "D_A": discriminator_loss(*apply_to_pair(disc_a, real_a, pooled_a)),
            "D_B": discriminator_loss(*apply_to_pair(disc_b, real_b, pooled_b)),
        }

    def _altered(self, name, images, coins):
        return self.diffaugment(images, coins[name]) if coins else images

    def make_train_function(self, force=False):
        """Makes what `fit` calls for a step.

        Keras' own takes the batch within a graph, where nobody sees how long it waited
        for it, and always returns the losses, for which the host waits.
        """
        if self.train_function is not None and not force:
            return
        # Traced once per process, over all calls of `fit`.
        take_step = tf.function(self._step_on_all_replicas, autograph=False)

        def train_function(iterator):
            start = time.monotonic()
            batch = next(iterator)
            self.seconds_waited += time.monotonic() - start
            logs = take_step(batch)
            return logs if self.returns_logs else {}

        self.train_function = train_function

    def _step_on_all_replicas(self, batch):
        strategy = self.distribute_strategy
        # AutoGraph would take a second to rewrite what has nothing to be rewritten.
        train_step = tf.autograph.experimental.do_not_convert(self.train_step)
        logs = strategy.run(train_step, args=(batch,))
        for direction, average in self.averages.items():
            step = self.generator_optimizer.iterations
            move_average(average, self.generators[direction], step, self.average_share)
        # They are the same on every replica: means over all of them.
        return {n: strategy.experimental_local_results(v)[0] for n, v in logs.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: all is built. Keras would average a batch over the replicas."""
