"""From raw counts to a scaled sparse matrix and two neighbourhood graphs."""
