"""Where goods surface that were sold elsewhere: findings, shipments, copied codes, and the map of them."""
