"""Where a lab's runs are made: here, in several processes, or on a cluster of Ray's."""
