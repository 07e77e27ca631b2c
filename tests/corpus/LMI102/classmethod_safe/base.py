class Repository:
    user = None

    @classmethod
    def of(cls, user):
        made = cls()
        made.user = user
        return made
