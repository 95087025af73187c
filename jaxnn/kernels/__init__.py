"""The sums of the layers in the form that a machine computes fastest. Only this package asks for the platform."""
