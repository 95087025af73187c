from .certificate import Certificate as Certificate
from .certificate import certify as certify
from .certificate import certify_vjp as certify_vjp

__all__ = ["Certificate", "certify", "certify_vjp"]
