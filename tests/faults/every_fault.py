"""All faults, by their names."""

import busy
import client_killed
import connections
import node_killed
import three_nodes
from fault import FAULTS

FAMILIES = (connections, busy, node_killed, three_nodes, client_killed)
__all__ = ["FAMILIES", "FAULTS"]
