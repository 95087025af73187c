"""Every shipped config loads, and its head states its claim and the command that checks it."""

import math
import re
import subprocess
import sys

import jax
import optax
import pytest

from jaxnn.config import build_loss, build_model, build_optimizer, config_hash, dump, find, load, shipped_configs
from jaxnn.config.experiment import example_input
from jaxnn.config.loaded_data import with_data_sizes
from jaxnn.config.sections import is_path_option
from jaxnn.data.data_dir import find_path
from jaxnn.errors import UserError

SHIPPED = sorted(shipped_configs())
#: The course's own counts (it prints 23 572 for the 784-30-10 net, miscounted).
PARAMETERS = {"blobs_neuron": 3, "circles_mlp": 52, "mnist500_mlp": 23_860, "mnist_sigmoid_mse": 23_860} | {
    "mnist_cnn": 289_630,
    "mnist_tanh_softmax": 23_860,
}


def require_files(config):
    """Skips a config whose files are in no package and absent; the shape of MNIST is known without its files."""
    for option in filter(is_path_option, config.data.options):
        try:
            find_path(config.data.options[option], None)
        except UserError:
            pytest.skip(f"needs the file {config.data.options[option]}")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_config_head_states_command_expectation_time(name):
    head = re.match(r"(?:#.*\n)+", find(name).read_text(encoding="utf-8"))
    assert head is not None
    for line in (rf"# Command:  (.*\n# +)?jaxnn train {name}\b", r"# Expected: ", r"# Time:     "):
        assert re.search(line, head[0]), line


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_config_builds_net_that_fits_its_data(name):
    config = load(name)
    require_files(config)
    model = build_model(with_data_sizes(config))
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct((7, *a.shape[1:]), a.dtype), example_input(config))
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert count == PARAMETERS.get(name, count)
    y = jax.eval_shape(lambda p, x: model.forward(p, x, None)[0], params, x)
    assert all(leaf.shape[0] == 7 for leaf in jax.tree.leaves(y) if len(leaf.shape) > 1)
    if config.loss is not None:
        assert build_loss(config).reduction == config.loss.options["reduction"]
    optimizer = build_optimizer(config)
    assert isinstance(optimizer, optax.GradientTransformation)
    jax.eval_shape(optimizer.init, params)


@pytest.mark.parametrize("name", SHIPPED)
def test_dump_loads_to_equal_config(name, tmp_path):
    config = load(name)
    path = tmp_path / "config.toml"
    path.write_text(dump(config), encoding="utf-8")
    assert load(path) == config
    assert config_hash(load(path)) == config_hash(config)
    assert dump(load(path)) == dump(config)


def test_config_hash_differs_between_configs():
    assert len({config_hash(load(name)) for name in SHIPPED}) == len(SHIPPED)
    assert config_hash(load("digits_mlp")) != config_hash(load("digits_mlp", ["train.seed=1"]))


def test_config_hash_ignores_written_defaults():
    written = load("digits_mlp", ["loss.reduction=mean", "optimizer.b1=0.9", "train.seed=0", "net.1.bias=true"])
    assert config_hash(written) == config_hash(load("digits_mlp"))


def test_config_hash_ignores_order_of_keys():
    first, second = ('net.1.weight_init={name="uniform", low=-1}', 'net.1.weight_init={low=-1, name="uniform"}')
    assert config_hash(load("digits_mlp", [first])) == config_hash(load("digits_mlp", [second]))


def test_find_finds_every_name_and_names_has_titles():
    assert all(config.title for config in shipped_configs().values())
    assert [find(name).stem for name in SHIPPED] == SHIPPED


@pytest.mark.parametrize(("name", "hint"), [("mnist_cn", "did you mean mnist_cnn"), ("zzzz", "digits_mlp")])
def test_find_error_suggests_known_names(name, hint):
    with pytest.raises(UserError, match=hint) as error:
        find(name)
    assert "jaxnn configs" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path", ["missing.toml", "no/such/file.toml", ".", "../configs", "a" * 5000 + ".toml", "x\0.toml"]
)
def test_find_refuses_path_without_file(path):
    with pytest.raises(UserError):
        find(path)


def test_shipped_imports_neither_jax_nor_pydantic():
    program = (
        "import sys; from jaxnn.config.shipped import find, shipped_configs; find('digits_mlp');"
        "assert shipped_configs();"
        "print(sorted({'jax', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
