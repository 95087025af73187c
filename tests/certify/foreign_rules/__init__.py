"""Rules as people write them, one for each property that a certificate must cope with."""

from tests.certify.foreign_rules import arguments, faults, intent, references
from tests.certify.foreign_rules.rule import Rule

RULES: dict[str, Rule] = references.RULES | arguments.RULES | intent.RULES | faults.RULES
