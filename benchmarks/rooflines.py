"""Why the missed targets are missed, in a sentence each; docs/performance.md has the profiles."""

from benchmarks.results_file import BenchmarkResult

PROFILES = "docs/performance.md"

#: device -> benchmark -> what limits its speed
LIMITS = {
    "cpu": {
        "s08": "of a step of 150 µs, xᵀ dy takes 56 and x W 37, at 50 to 75 % of the machine's matmul rate; gathering "
        "and scaling the batch take 25, the update of W takes 9, about twenty small operations take the rest",
        "s10": "of a step of 47 µs, x W takes 13, dyᵀ x 10, the gather 10, the update by a transposed gradient 9",
        "s11": "of a step of 4.9 ms the matmuls take 2.0, near the machine's rate; the rest processes images of 20 "
        "channels element by element (patches 0.5, backward pass of max-pooling 0.6, ReLU forward and backward 0.8, "
        "Σ dy 0.25)",
        "s11_batch_20": "as with a batch of 128: operations along 20 channels, which XLA does not vectorize",
        "s05": "the matmuls run at half the machine's rate; at the full rate the ratio would be 0.33",
        "seeds": "sums along the batch and sigmoids; one seed alone is limited by launching its operations, 32 seeds "
        "are not",
        "autodiff": "nets of wide dense layers are the same matmuls either way: what exceeds 1 is within the spread of "
        "the rounds",
        "ninety_nine": "convolutions of several channels, which PyTorch's library computes in less time",
        "autodiff_of_lax": "the matmuls of the course's net; on this processor autodiff of lax takes half as long as "
        "on the processor for which the target was set",
        "lstm_text": "the loop over 64 places is a sequence of small products and elementwise operations, each started "
        "by itself, where PyTorch calls one library routine for a whole layer; not profiled further",
        "gpt": "of a step of 26 ms a third is spent in matrix products at the machine's rate; the rest are passes over "
        "arrays of 768 × 512 numbers (GELU, norms, softmax) and the update, which were not profiled further",
        "examples": "five times the steps, and a gather from 196 MB, which no cache holds",
    },
    "gpu": {
        "ninety_nine": "one net is limited by launching dozens of kernels of 2 µs, 88 µs a step; thirty nets by "
        "memory, 271 µs: their patches and activations are written and read several times",
    },
}


def limit(result: BenchmarkResult, device: str) -> dict[str, str]:
    """The entry of a results file that explains a missed target; empty if all targets are met."""
    limits = LIMITS[device]
    if not any(ratio.met is False for ratio in result.ratios) or result.name not in limits:
        return {}
    return {"what bounds it": f"{limits[result.name]} ({PROFILES})"}
