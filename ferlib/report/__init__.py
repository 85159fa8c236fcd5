"""Tables, figures and pages made from what is published."""
