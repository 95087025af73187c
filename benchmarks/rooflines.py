"""What bounds the works whose targets were missed, in a sentence each; docs/performance.md has the profiles."""

from benchmarks.results_file import Finding

WHERE = "docs/performance.md"

#: device -> benchmark -> what its time is made of
BOUNDS = {
    "cpu": {
        "s08": "of a step of 150 µs, xᵀ dy takes 56 and x W 37, at 50 to 75 % of the machine's rate, the gather and "
        "the scaling of the batch 25, the update of W 9, some twenty small operations the rest",
        "s10": "of a step of 47 µs, x W takes 13, dyᵀ x 10, the gather 10, the update by a turned gradient 9",
        "s11": "of a step of 4.9 ms the products take 2.0, near the machine's rate; the rest goes over images of 20 "
        "channels number by number (patches 0.5, the choice's way back 0.6, ReLU forward and backward 0.8, Σ dy 0.25)",
        "s11_batch_20": "as at a batch of 128: work along 20 channels, which XLA does not vectorize",
        "s05": "the products run at half the machine's rate; at all of it the ratio would be 0.33",
        "seeds": "sums along the batch and sigmoids; one seed alone is bound by launching its operations, as 32 are "
        "not",
        "autodiff": "nets of wide dense layers are the same products either way: what is above 1 is not told apart "
        "from the spread of the rounds",
        "ninety_nine": "convolutions of several channels, which PyTorch's library does in less time",
        "autodiff_of_lax": "the products of the course's net; on this processor autodiff of lax takes half as "
        "long as on the one that the target was set on",
        "examples": "five times the steps, and a gather from 196 MB, which no cache holds",
    },
    "gpu": {
        "ninety_nine": "one net is bound by launching some dozens of kernels of 2 µs, 88 µs a step; thirty by memory, "
        "271 µs: their patches and activations are written and read several times",
    },
}


def bounded(finding: Finding, device: str) -> dict[str, str]:
    """What a results file says of a finding that missed a target."""
    known = BOUNDS[device]
    if not any(ratio.met is False for ratio in finding.ratios) or finding.name not in known:
        return {}
    return {"what bounds it": f"{known[finding.name]} ({WHERE})"}
