"""How a lab's runs are made: in this process, in several, or on a Ray cluster."""
