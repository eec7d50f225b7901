"""How requests/s and batches follow the number of ingresses and nodes, and a plan of machines."""
