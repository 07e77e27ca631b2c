"""An object of the module that adds up."""
# mode: thread


class Budget:
    def __init__(self):
        self.spent = 0
        self.by_user = {}

    def spend(self, user, amount):
        self.spent += amount  # unsafe: LMI106
        self.by_user[user] = self.by_user.get(user, 0) + amount  # unsafe: LMI106
        return self.spent


budget = Budget()


def handler(event, context):
    return {"spent": budget.spend(event["user"], event["amount"])}
