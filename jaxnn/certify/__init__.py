"""The certificate: hand-derived gradients, ours and yours, under nine laws."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"certificate": ["Certificate", "certify", "certify_vjp"]}
)
