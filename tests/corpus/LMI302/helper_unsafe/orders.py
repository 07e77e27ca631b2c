import payments


def place(order):
    for _ in range(3):
        if payments.charge(order["amount"]):
            return order["id"]
    return None
