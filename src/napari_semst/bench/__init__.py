"""Methods compared on annotated sections: cell by cell, with seeds and controls."""
