"""The drill: one recorded run carried out again in scratch copies, killed at every step, and gone on with."""
