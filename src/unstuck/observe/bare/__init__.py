"""A model for programs that have none: weights in plain tensors, the forward written by hand.

The graph of a loss shows where weights meet data. Each such place becomes a layer, and what lies
between the data and the loss the call of a model, told in the events that a module's call has.
"""
