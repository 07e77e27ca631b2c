class OrderService:
    def __init__(self):
        self.user = None
        self.audit = []

    def set_user(self, user):
        self.user = user

    def orders(self):
        return [order for order in ("1", "2") if order.startswith(self.user)]
