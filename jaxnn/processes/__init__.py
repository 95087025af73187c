"""Several processes that train one run together: how they find each other, what they compare, and who decides."""
