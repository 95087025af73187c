from . import domains as domains
from .certificate import Certificate as Certificate
from .certification import certify as certify
from .certification import certify_vjp as certify_vjp
from .rules import Rule as Rule
from .rules import certified as certified
from .rules import rule as rule

__all__ = ["Certificate", "Rule", "certified", "certify", "certify_vjp", "domains", "rule"]
