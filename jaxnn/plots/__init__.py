"""Figures: each function takes arrays and returns a matplotlib Figure; `save` writes it."""

from jaxnn.plots.activation_panels import activations as activations
from jaxnn.plots.boundary import decision_boundary as decision_boundary
from jaxnn.plots.confusion_matrix import confusion as confusion
from jaxnn.plots.cost_curves import costs as costs
from jaxnn.plots.descent_curve import descent as descent
from jaxnn.plots.feature_map import feature_maps as feature_maps
from jaxnn.plots.files import png as png
from jaxnn.plots.files import save as save
from jaxnn.plots.gradients import gradient_norms as gradient_norms
from jaxnn.plots.learning import learning_curves as learning_curves
from jaxnn.plots.loss_curves import loss_against as loss_against
from jaxnn.plots.mistakes import misclassified as misclassified
from jaxnn.plots.optimizer_paths import optimizer_paths as optimizer_paths
from jaxnn.plots.scatter import preprocessing as preprocessing
from jaxnn.plots.signal_panels import signals as signals
from jaxnn.plots.sweep_panels import sweep as sweep
from jaxnn.plots.sweep_panels import sweep_curves as sweep_curves
from jaxnn.plots.weight_images import filters as filters
from jaxnn.plots.weight_images import weights as weights
