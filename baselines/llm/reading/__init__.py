"""The parts of reading a reply: plain text, JSON objects, units, numbers, and which of them is the answer."""
