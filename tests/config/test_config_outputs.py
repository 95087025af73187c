"""A config whose output cannot fit its loss is refused when it is loaded, at the line of the layer."""

import pytest

from jaxnn.config import ConfigError, load
from jaxnn.config.output_checks import BOUNDED, BOUNDED_BELOW, CONTAINED
from jaxnn.config.shipped import shipped_configs
from jaxnn.layers import LAYERS
from jaxnn.losses import OUTPUT_LOSSES

HEAD = 'title = "t"\n[data]\nname = "blobs"\nvalidation = 0.2\n[optimizer]\nname = "sgd"\nlearning_rate = 0.1\n'
TRAIN = "[train]\nepochs = 2\n"


def config(folder, loss, *layers):
    text = HEAD + TRAIN + f'[loss]\nname = "{loss}"\n' + "".join(f"[[net]]\n{layer}\n" for layer in layers)
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def layer(name, **options):
    return "\n".join([f'layer = "{name}"', *(f"{key} = {value}" for key, value in options.items())])


@pytest.mark.parametrize("behind", [(), ("dropout",), ("flatten",), ("dropout", "flatten", "identity")])
@pytest.mark.parametrize("last", [*BOUNDED, *BOUNDED_BELOW])
@pytest.mark.parametrize("loss", OUTPUT_LOSSES)
def test_bounded_layer_before_a_loss_of_logits_is_refused(loss, last, behind, tmp_path):
    """Some may stand before a softmax, which sees differences; before a loss of outputs all may."""
    after = [layer(name, **({"rate": 0.3} if name == "dropout" else {})) for name in behind]
    path = config(tmp_path, loss, layer("dense", units=2), layer(last), *after)
    if loss not in CONTAINED or (loss == "softmax_cross_entropy" and last in BOUNDED_BELOW):
        assert load(path)
        return
    with pytest.raises(ConfigError) as error:
        load(path)
    lines = str(error.value).splitlines()
    assert len(lines) == 1
    assert f"mine.toml:16: net.1.layer: {loss} contains the {CONTAINED[loss]}" in lines[0]
    assert f"expected no {last} as the last layer, found one" in lines[0]


def test_bounded_layer_in_a_serial_is_refused_and_in_front_is_not(tmp_path):
    inner = 'layer = "serial"\nlayers = [{layer = "dense", units = 2}, {layer = "softmax"}]'
    with pytest.raises(ConfigError, match=r"net.0.layers.1.layer: softmax_cross_entropy contains the softmax"):
        load(config(tmp_path, "softmax_cross_entropy", inner, layer("dropout", rate=0.1)))
    assert load(config(tmp_path, "softmax_cross_entropy", layer("sigmoid"), layer("dense", units=2)))
    around = 'layer = "residual"\nlayers = [{layer = "dense", units = 2}, {layer = "tanh"}]'
    assert load(config(tmp_path, "softmax_cross_entropy", layer("dense", units=2), around))


@pytest.mark.parametrize("behind", [(), (layer("dropout", rate=0.3),), (layer("leaky_relu"),)])
def test_softmax_of_one_unit_is_refused(behind, tmp_path):
    message = r"net.0.units: a softmax over one unit is always 1: .* found 1; .* sigmoid_cross_entropy"
    with pytest.raises(ConfigError, match=message):
        load(config(tmp_path, "softmax_cross_entropy", layer("dense", units=1), *behind))
    with pytest.raises(ConfigError, match=message):
        load(config(tmp_path, "quadratic", layer("dense", units=1), *behind, layer("softmax")))
    assert load(config(tmp_path, "sigmoid_cross_entropy", layer("dense", units=1)))
    assert load(config(tmp_path, "softmax_cross_entropy", layer("dense", units=1), layer("dense", units=2)))


def test_override_of_the_loss_is_checked():
    with pytest.raises(ConfigError, match="sigmoid_cross_entropy contains the sigmoid"):
        load("mnist_sigmoid_mse", ["loss.name=sigmoid_cross_entropy"])


def test_tables_of_the_checks_are_names_of_layers_and_losses():
    assert {*BOUNDED, *BOUNDED_BELOW} <= set(LAYERS) and set(CONTAINED) <= set(OUTPUT_LOSSES)


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_config_passes(name):
    assert load(name)
