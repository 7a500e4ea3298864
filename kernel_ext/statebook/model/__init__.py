"""Who answers: the Model protocol and its providers; the only room that speaks to model networks."""
