"""Figures: each function takes arrays and returns a matplotlib Figure; `save` writes it as a PNG."""

from jaxnn.plots.course import activation_functions as activation_functions
from jaxnn.plots.course import cost_comparison as cost_comparison
from jaxnn.plots.course import gradient_descent as gradient_descent
from jaxnn.plots.course import preprocessing as preprocessing
from jaxnn.plots.curves import gradient_norms as gradient_norms
from jaxnn.plots.curves import learning_curves as learning_curves
from jaxnn.plots.curves import loss_curves as loss_curves
from jaxnn.plots.layout import png as png
from jaxnn.plots.layout import save as save
from jaxnn.plots.planes import decision_boundary as decision_boundary
from jaxnn.plots.planes import optimizer_paths as optimizer_paths
from jaxnn.plots.predictions import confusion_matrix as confusion_matrix
from jaxnn.plots.predictions import denoised_signals as denoised_signals
from jaxnn.plots.predictions import misclassified as misclassified
from jaxnn.plots.predictions import parity as parity
from jaxnn.plots.samples import reconstructions as reconstructions
from jaxnn.plots.samples import sample_images as sample_images
from jaxnn.plots.samples import sample_points as sample_points
from jaxnn.plots.sequences import attention_maps as attention_maps
from jaxnn.plots.sequences import gates_over_text as gates_over_text
from jaxnn.plots.sequences import gradient_by_distance as gradient_by_distance
from jaxnn.plots.sweep_panels import sweep as sweep
from jaxnn.plots.sweep_panels import sweep_curves as sweep_curves
from jaxnn.plots.weight_images import feature_maps as feature_maps
from jaxnn.plots.weight_images import filters as filters
from jaxnn.plots.weight_images import weights as weights
