"""A page in the browser that trains a net while one watches: the server of `jaxnn play`."""
