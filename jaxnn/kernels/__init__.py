"""The same sums in the form that a machine computes fastest. Only this package asks for the platform."""
