tenant = "nobody"
bucket = "orders"
