"""What the agent may do: tools, their effects and the policy over them."""
