"""Small logs in the style of some seventy tools, with what a careful person reads in them."""
