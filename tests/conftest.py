"""Every test runs with strict numbers: shapes checked, no silent promotion, float64 at hand, eight devices."""

import gc
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

# Programs are kept for this session alone, and for the processes that its tests start: nobody's cache is touched.
if "PYTEST_XDIST_WORKER" not in os.environ:
    programs = tempfile.TemporaryDirectory(prefix="jaxnn-programs-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# Compiling is most of the time, and XLA's older code generator takes two thirds of it. `XLA_FLAGS= pytest` has the new.
if version("jaxlib").startswith("0.10."):  # a later XLA has no older code generator, and aborts on its flag
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import pytest
from jaxtyping import install_import_hook

import tests.annotation_checks  # noqa: F401  the hook looks for it in the package

install_import_hook("jaxnn", "tests.annotation_checks.checked")

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# The tests of refusals raise thousands of errors, and hiding JAX's own frames takes most of the time of each.
jax.config.update("jax_traceback_filtering", "off")

# A search for unreachable cycles after every 700 new objects takes a twentieth of the time: see `cli/main.py`.
gc.set_threshold(50_000, *gc.get_threshold()[1:])

#: What takes longest and watches over what seldom changes: files, and tests by the beginnings of their names. A
#: shorter test of the same law is in the slow or the short suite. `pytest -m long` alone runs them.
LONG = (
    "certify/test_compiler.py",
    "cli/test_joined_command.py",
    "config/test_config_sequences.py::test_shipped_config_of_sequences_trains[polarity_gru",
    "config/test_config_sequences.py::test_shipped_config_of_sequences_trains[sst2_gru",
    "config/test_config_sequences.py::test_shipped_config_of_sequences_trains[shakespeare_lstm",
    "config/test_config_sequences.py::test_shipped_config_of_sequences_trains[shakespeare_words",
    "data/test_photographs.py",
    "notebooks/test_notebooks.py::test_notebook_runs_with_the_stored_kinds_of_output[6",
    "notebooks/test_notebooks.py::test_notebook_runs_with_the_stored_kinds_of_output[7",
    "play/test_page.py::test_a_digit_is_drawn",
    "play/test_page.py::test_a_layer_is_resized",
    "play/test_page.py::test_a_scene_loads",
    "play/test_page.py::test_multi_class_data",
    "play/test_page.py::test_optimizer_rate_batch_penalty_and_seeds",
    "play/test_page.py::test_the_same_run_by_the_command_and_by_the_file",
    "play/test_page.py::test_the_seeds_are_a_band",
    "scale/test_clusters.py",
    "scale/test_launcher.py",
    "scale/test_sharing.py::test_devices_that_share_a_batch_learn_as_one_does[summed",
    "scale/test_sharing.py::test_parts_that_are_added_in_order_give_the_same_bits_on_any_number_of_devices[attentive",
    "scale/test_sharing.py::test_parts_that_are_added_in_order_give_the_same_bits_on_any_number_of_devices[convolution",
    "scale/test_sharing.py::test_parts_that_are_added_in_order_give_the_same_bits_on_any_number_of_devices[summed",
    "scale/test_sharing.py::test_parts_that_are_added_in_order_give_the_same_bits_on_any_number_of_devices[weighted",
    "sweep/test_joined.py",
    "sweep/test_stopped_sweep.py",
    "train/test_jax_flags.py",
    "train/test_random_access.py",
    "train/test_ring_of_gaussians.py",
    "trust/test_claim.py::test_processes_that_start_at_once",
    "trust/test_fuzz.py",
    "trust/test_kill.py::test_killed_continued_runs",
    "trust/test_kill.py::test_killed_runs_end_bit_equal_to_a_run_without_kills[1",
    "trust/test_kill.py::test_killed_sweeps",
)
#: Folders and files that take more than half of the time of the others. `pytest -m slow` runs them but for
#: what is long, `pytest` the rest.
SLOW = (
    "certify/test_certify_targets.py",
    "cli/test_continuation.py",
    "cli/test_generate_command.py",
    "cli/test_hostile_text.py",
    "cli/test_limits.py",
    "cli/test_own_images.py",
    "cli/test_predicted_pictures.py",
    "cli/test_run_data.py",
    "cli/test_sample_command.py",
    "cli/test_sweep_command.py",
    "config/test_before_jax.py",
    "config/test_config_fuzz.py",
    "config/test_config_sequences.py",
    "config/test_streamed_data.py",
    "course/test_reproduce.py",
    "course/test_series_novelty.py",
    "data/test_csv_reference.py",
    "data/test_handwriting.py",
    "docs/test_guide.py::test_page_code_runs_from_top_to_bottom",
    "experiment/test_detection.py",
    "experiment/test_generation.py",
    "experiment/test_generative_runs.py",
    "experiment/test_pretrained.py",
    "experiment/test_text_generation.py",
    "laws/test_fuzz.py",
    "laws/test_mutants.py",
    "laws/test_padded_tokens.py",
    "laws/test_sequence_controls.py",
    "laws/test_shapes.py::test_layer_refuses_what_does_not_fit[graph_attention: ",
    "laws/test_shapes.py::test_layer_refuses_what_does_not_fit[graph_conv: ",
    "laws/test_shapes.py::test_layer_refuses_what_does_not_fit[transformer: ",
    "notebooks",
    "packaging/test_types.py",
    "play/test_guard.py",
    "play/test_page.py",
    "play/test_session.py",
    "plots/test_every_figure.py",
    "report/test_captions.py",
    "report/test_every_task.py",
    "report/test_shipped_figures.py",
    "report/test_structure_figures.py",
    "report/test_tasks.py",
    "scale/test_certify_devices.py",
    "scale/test_misconfigurations.py",
    "scale/test_sharing.py",
    "sweep/test_store.py",
    "sweep/test_sweep.py",
    "train/test_adversarial.py",
    "train/test_factorization.py",
    "train/test_precision.py",
    "train/test_second_order.py",
    "trust/test_claim.py",
    "trust/test_damage.py",
    "trust/test_failing_calls.py",
    "trust/test_hostile.py",
    "trust/test_kill.py",
    "trust/test_nonfinite.py",
    "trust/test_python_run.py",
)


#: Linux gives a process 65,530 mappings of memory, and XLA aborts when it gets no more. Each program takes some ten.
MOST_MAPPINGS = 20_000


@pytest.fixture(autouse=True, scope="module")
def programs_are_dropped():
    """Frees the compiled programs of earlier modules before they take all mappings; the cache on disk keeps them."""
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()


def pytest_configure(config):
    # A file or a test that is named is run, slow or not.
    if config.args_source == pytest.Config.ArgsSource.TESTPATHS and not config.option.markexpr:
        config.option.markexpr = "not slow and not long"


def pytest_collection_modifyitems(items):
    for item in items:
        # What is in both is long.
        mark = next((mark for mark, entries in (("long", LONG), ("slow", SLOW)) if in_entries(item, entries)), None)
        if mark is not None:
            item.add_marker(mark)


def in_entries(item, entries):
    """Whether a test is in one of the folders, in one of the files or among the tests that are named."""
    name = f"{os.path.relpath(item.path, Path(__file__).parent)}::{item.name}"
    return name.startswith(
        tuple(entry if "::" in entry else entry + ("::" if ".py" in entry else "/") for entry in entries)
    )


@pytest.fixture(autouse=True)
def without_figures(request, monkeypatch):
    """To draw the figures of a small run takes as long as to train it. A fixture of a module draws them."""
    if request.node.get_closest_marker("figures") is None:
        monkeypatch.setattr("jaxnn.runs.recorder.run_figures", lambda *args: iter(()))


@pytest.fixture
def trained(monkeypatch):
    """The rows that are trained from now on."""
    from jaxnn.sweep.rows import GroupRows

    rows, run = [], GroupRows.run

    def counted(self, chunk, *args):
        rows.extend(chunk)
        return run(self, chunk, *args)

    monkeypatch.setattr(GroupRows, "run", counted)
    return rows
