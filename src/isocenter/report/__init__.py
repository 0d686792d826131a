"""Pictures and pages made of findings."""
