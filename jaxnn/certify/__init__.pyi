from . import domains as domains
from .certificate import Certificate as Certificate
from .certification import certify as certify
from .certification import certify_vjp as certify_vjp

__all__ = ["Certificate", "certify", "certify_vjp", "domains"]
