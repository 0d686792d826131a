"""Test data of known truth, for the tests of Isocenter and of what plugs into it. Nothing else imports from here."""
