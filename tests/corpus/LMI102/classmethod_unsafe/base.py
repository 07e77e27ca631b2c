class Repository:
    user = None

    @classmethod
    def use(cls, user):
        cls.user = user  # unsafe: LMI102
